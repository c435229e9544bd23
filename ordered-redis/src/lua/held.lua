-- Part of apply: the events that wait. An entry is { seq, id, size, since, payload if it came with this batch }.
local held_entries = {} -- by field; false where it is known that there is none
local held_changes = {} -- { field, key's name, seq, whether it was stored before }

local function remember_entry(field, seq, meta)
  local entry = false
  if meta then
    entry = unpack_meta(meta)
    entry.seq, entry.stored = seq, true
  end
  held_entries[field] = entry
end

-- Reads what is known of the held events, all of them with one command.
local function load_held(fields, seqs)
  for place, meta in ipairs(fetch(HELD, fields)) do remember_entry(fields[place], seqs[place], meta) end
end

local function want_held(key, seq, fields, seqs)
  if key.was_held == 0 then return end
  local field = held_field(key.name, seq)
  if held_entries[field] == nil then
    held_entries[field] = false
    fields[#fields + 1], seqs[#seqs + 1] = field, seq
  end
end

local function held_at(key, seq)
  if key.count == 0 then return nil end
  local field = held_field(key.name, seq)
  if held_entries[field] == nil then
    remember_entry(field, seq, key.was_held > 0 and call('HGET', HELD, field))
  end
  return held_entries[field] or nil
end

-- Before a walk over neighbours: one read instead of one for each.
local function load_range(key, first, last)
  local fields, seqs = {}, {}
  for seq = first, last do want_held(key, seq, fields, seqs) end
  load_held(fields, seqs)
end

local function keep(key, seq, id, size, payload)
  local field = held_field(key.name, seq)
  held_entries[field] = { seq = seq, id = id, size = size, since = now, payload = payload }
  held_changes[#held_changes + 1] = { field, key.name, seq, false }
  key.count, key.bytes = key.count + 1, key.bytes + size
  local totals = bucket()
  totals.events, totals.bytes = totals.events + 1, totals.bytes + size
end

local function drop_held(key, seq)
  local entry = held_at(key, seq)
  if not entry then return end
  local field = held_field(key.name, seq)
  held_entries[field] = false
  held_changes[#held_changes + 1] = { field, key.name, seq, entry.stored }
  key.count, key.bytes = key.count - 1, key.bytes - entry.size
  local totals = bucket()
  totals.events, totals.bytes = totals.events - 1, totals.bytes - entry.size
end
