-- Part of apply: the events that were put aside. An entry is
-- { epoch, seq, id, cause, error, attempts, at, replay (0 or 1), size, name, field, and its payload or where that lies }.
local CAUSE = { FAILED = 1, SKIPPED = 2, DISCARDED = 3, SUPERSEDED = 4 }
local dead_entries = {} -- by field; false where it is known that there is none
local dead_changes = {} -- { key, field, whether it was stored before }

local function unpack_dead(name, field, epoch, seq, text)
  local id, cause, message, attempts, at, replay, size = unpack(cmsgpack.unpack(text))
  return {
    epoch = epoch, seq = seq, id = id, cause = cause, error = message, attempts = attempts, at = at, replay = replay,
    size = size, name = name, field = field, stored = true, was_replay = replay,
  }
end

-- The event of this numbering that was put aside from this seq.
local function dead_at(key, seq)
  if key.dead == 0 then return nil end
  local field = dead_field(key.name, key.epoch, seq)
  if dead_entries[field] == nil then
    local text = key.was_dead > 0 and call('HGET', DEAD, 'm' .. field)
    dead_entries[field] = text and unpack_dead(key.name, field, key.epoch, seq, text)
  end
  return dead_entries[field] or nil
end

local function dead_moves(key, index)
  key.dead_moves = key.dead_moves or { d = {}, r = {} }
  return key.dead_moves[index]
end

-- Says that the entry is not as it is stored.
local function change_dead(key, entry)
  local place = dead_place(entry.epoch, entry.seq)
  if not entry.changed then
    entry.changed = true
    dead_changes[#dead_changes + 1] = { key, entry }
  end
  local is_there = dead_entries[entry.field] == entry
  dead_moves(key, 'd')[place] = is_there
  dead_moves(key, 'r')[place] = is_there and entry.replay == 1
end

local function put_aside(key, entry)
  entry.epoch, entry.at, entry.replay, entry.name = key.epoch, now, 0, key.name
  entry.field = dead_field(key.name, key.epoch, entry.seq)
  local before = dead_at(key, entry.seq)
  key.dead = key.dead + (before and 0 or 1)
  if before then key.replays = key.replays - before.replay end
  dead_entries[entry.field] = entry
  if before then change_dead(key, before) end
  change_dead(key, entry)
end

local function drop_dead(key, entry)
  key.dead, key.replays = key.dead - 1, key.replays - entry.replay
  dead_entries[entry.field] = false
  change_dead(key, entry)
end

local function set_replay(key, entry, replay)
  key.replays = key.replays + replay - entry.replay
  entry.replay = replay
  change_dead(key, entry)
end

local function dead_between(key, index, from, to, most)
  local stored = key.was_dead
  if index == 'r' then stored = key.was_replays end
  local places = range_of(DEAD_ORDER, stored > 0, index .. order_prefix(key.name), dead_place(key.epoch, from),
    dead_place(key.epoch, to), most, dead_moves(key, index))
  for place, text in ipairs(places) do places[place] = seq_of(text) end
  return places
end

-- The first event that is to be replayed.
local function first_replay(key)
  if key.replays == 0 then return nil end
  local seq = dead_between(key, 'r', 0, key.last, 1)[1]
  return seq and dead_at(key, seq)
end

-- How often the event was started: the one at the head, or one that is replayed.
local function attempts(key, seq)
  local entry = seq <= key.last and dead_at(key, seq)
  return entry and entry.attempts or key.attempts
end

local function set_attempts(key, seq, number)
  local entry = seq <= key.last and dead_at(key, seq)
  if entry then
    entry.attempts = number
    change_dead(key, entry)
  else
    key.attempts = number
  end
end

local function collect_dead(add, drop)
  for _, change in ipairs(dead_changes) do
    local key, entry = change[1], change[2]
    local current = dead_entries[entry.field]
    local place = order_prefix(key.name) .. dead_place(entry.epoch, entry.seq)
    if current == entry then
      local meta = { entry.id, entry.cause, entry.error, entry.attempts, entry.at, entry.replay, entry.size }
      add.dead[#add.dead + 1], add.dead[#add.dead + 2] = 'm' .. entry.field, cmsgpack.pack(meta)
      if entry.payload then
        add.dead[#add.dead + 1], add.dead[#add.dead + 2] = 'p' .. entry.field, entry.payload
      elseif entry.moved_from then
        add.moved[#add.moved + 1] = entry
      end
      if not entry.stored then
        add.dead_order[#add.dead_order + 1], add.dead_order[#add.dead_order + 2] = '0', 'd' .. place
      end
      if entry.replay == 1 and entry.was_replay ~= 1 then
        add.dead_order[#add.dead_order + 1], add.dead_order[#add.dead_order + 2] = '0', 'r' .. place
      end
    elseif not current and entry.stored then
      drop.dead[#drop.dead + 1], drop.dead[#drop.dead + 2] = 'm' .. entry.field, 'p' .. entry.field
      drop.dead_order[#drop.dead_order + 1] = 'd' .. place
    end
    if entry.was_replay == 1 and not (current and current.replay == 1) then
      drop.dead_order[#drop.dead_order + 1] = 'r' .. place
    end
  end
end

-- Payloads that go from the held events to those that were put aside, a few at a time: together they may be large.
local function move_payloads(moved)
  for first = 1, #moved, 50 do
    local fields, pairs_to_add = {}, {}
    for place = first, min(first + 49, #moved) do fields[#fields + 1] = moved[place].moved_from end
    for place, payload in ipairs(fetch(PAYLOADS, fields)) do
      pairs_to_add[2 * place - 1], pairs_to_add[2 * place] = 'p' .. moved[first + place - 1].field, payload or ''
    end
    send('HSET', DEAD, pairs_to_add)
  end
end
