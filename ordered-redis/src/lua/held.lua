-- Part of apply: the events that wait. An entry is { seq, id, size, since, payload if it came with this batch }.
local held_entries = {} -- by field; false where it is known that there is none
local held_changes = {} -- { field, key's name, seq, whether it was stored before }

local function remember_entry(field, seq, meta)
  local entry = false
  if meta then
    entry = unpack_meta(meta)
    entry.seq, entry.stored, entry.name = seq, true, string.sub(field, #digits(seq) + 2)
  end
  held_entries[field] = entry
end

-- Reads what is known of the held events, all of them with one command.
local function load_held(fields, seqs)
  for place, meta in ipairs(fetch(AT.held, fields)) do remember_entry(fields[place], seqs[place], meta) end
end

local function want_held(key, seq, fields, seqs)
  if key.was.count == 0 then return end
  local field = held_field(key.name, seq)
  if held_entries[field] == nil then
    held_entries[field] = false
    fields[#fields + 1], seqs[#seqs + 1] = field, seq
  end
  return field
end

local function held_at(key, seq)
  if key.count == 0 then return nil end
  local field = held_field(key.name, seq)
  if held_entries[field] == nil then
    remember_entry(field, seq, key.was.count > 0 and call('HGET', AT.held, field))
  end
  return held_entries[field] or nil
end

-- Before a walk over neighbours: one read instead of one for each.
local function load_range(key, first, last)
  local fields, seqs = {}, {}
  for seq = first, last do want_held(key, seq, fields, seqs) end
  load_held(fields, seqs)
end

-- Which held events of the key came or went in this batch, by sortable seq.
local function held_moves(key)
  key.moves = key.moves or {}
  return key.moves
end

local function change_held(key, entry, seq, was_stored)
  local field = held_field(key.name, seq)
  held_entries[field] = entry
  held_changes[#held_changes + 1] = { field, key.name, seq, was_stored }
  held_moves(key)[places.sortable(seq)] = entry and true
end

local function add_totals(key, events, bytes)
  local totals = bucket()
  key.count, key.bytes = key.count + events, key.bytes + bytes
  totals.events, totals.bytes = totals.events + events, totals.bytes + bytes
end

local function keep(key, seq, id, size, payload)
  change_held(key, { seq = seq, id = id, size = size, since = now, payload = payload }, seq, false)
  add_totals(key, 1, size)
end

local function drop_held(key, seq)
  local entry = held_at(key, seq)
  if not entry then return end
  change_held(key, false, seq, entry.stored)
  add_totals(key, -1, -entry.size)
  return entry
end

-- The id of the event that is granted or held under a seq.
local function pending_id(key, seq)
  local id = grants.id_of(key, seq)
  if id then return id end
  local entry = held_at(key, seq)
  return entry and entry.id
end
