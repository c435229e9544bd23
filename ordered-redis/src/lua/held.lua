-- Part of apply: the events that wait. An entry is { seq, id, size, since, payload if it came with this batch }; `key.held` has
-- those of a key by seq, and false where it is known that there is none.
local held_changes = {} -- { key, seq, whether it was stored before }

-- Reads what is known of the held events, all of them with one command. `wanted` has a key and a seq for each.
local function load_held(wanted)
  if not wanted[1] then return end
  local fields = {}
  for at = 1, #wanted, 2 do fields[(at + 1) / 2] = held_field(wanted[at].name, wanted[at + 1]) end
  for place, meta in ipairs(fetch(AT.held, fields)) do
    local key, seq = wanted[2 * place - 1], wanted[2 * place]
    key.held[seq] = meta and unpack_meta(meta, key.name, seq)
  end
end

local function want_held(key, seq, wanted)
  if key.held[seq] == nil and key.was.count > 0 then
    local count = #wanted
    key.held[seq], wanted[count + 1], wanted[count + 2] = false, key, seq
  end
end

local function held_at(key, seq)
  if key.count == 0 then return nil end
  local entry = key.held[seq]
  if entry == nil and key.was.count > 0 then
    load_held({ key, seq })
    entry = key.held[seq]
  end
  return entry or nil
end

-- Before a walk over neighbours: one read instead of one for each.
local function load_range(key, first, last)
  local wanted = {}
  for seq = first, last do want_held(key, seq, wanted) end
  load_held(wanted)
end

local function change_held(key, entry, seq, was_stored)
  key.held[seq] = entry
  held_changes[#held_changes + 1] = { key, seq, was_stored }
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
