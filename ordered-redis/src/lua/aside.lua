-- Part of apply: the events that were put aside. An entry is
-- { epoch, seq, id, cause, error, attempts, at, replay (0 or 1), size, name, field, and its payload or where that lies }.
local function unpack_dead(name, field, epoch, seq, text)
  local id, cause, message, attempts, at, replay, size = unpack(decode(text))
  return {
    epoch = epoch, seq = seq, id = id, cause = cause, error = message, attempts = attempts, at = at, replay = replay,
    size = size, name = name, field = field, stored = true, was_replay = replay,
  }
end

local function find_in(key, epoch, seq)
  local field = places.dead_field(key.name, epoch, seq)
  if dead_entries[field] == nil then
    local text = key.was.dead > 0 and call('HGET', AT.dead, 'm' .. field)
    dead_entries[field] = text and unpack_dead(key.name, field, epoch, seq, text)
  end
  return dead_entries[field] or nil
end

-- The event of this numbering that was put aside from this seq.
function protocol.find_dead(key, seq)
  return find_in(key, key.epoch, seq)
end

local function dead_moves(key, index)
  key.dead_moves = key.dead_moves or { d = {}, r = {} }
  return key.dead_moves[index]
end

-- Says that the entry is not as it is stored.
function protocol.change_dead(key, entry)
  local place = places.dead_place(entry.epoch, entry.seq)
  if not entry.changed then
    entry.changed = true
    dead_changes[#dead_changes + 1] = { key, entry }
  end
  local is_there = dead_entries[entry.field] == entry
  dead_moves(key, 'd')[place] = is_there
  dead_moves(key, 'r')[place] = is_there and entry.replay == 1
end

-- The event with this seq of the latest earlier numbering that has one.
function protocol.older_dead(key, seq)
  if key.dead == 0 or key.epoch == 0 then return nil end
  local epoch = places.older_epoch(AT.dead_order, key.was.dead > 0, key.name, key.epoch, seq, dead_moves(key, 'd'))
  return epoch and find_in(key, epoch, seq)
end

function protocol.put_aside(key, entry)
  entry.epoch, entry.at, entry.replay, entry.name = key.epoch, now, 0, key.name
  entry.field = places.dead_field(key.name, key.epoch, entry.seq)
  local before = dead_at(key, entry.seq)
  key.dead = key.dead + (before and 0 or 1)
  if before then key.replays = key.replays - before.replay end
  dead_entries[entry.field] = entry
  if before then protocol.change_dead(key, before) end
  protocol.change_dead(key, entry)
end

function protocol.drop_dead(key, entry)
  key.dead, key.replays = key.dead - 1, key.replays - entry.replay
  dead_entries[entry.field] = false
  protocol.change_dead(key, entry)
end

function protocol.set_replay(key, entry, replay)
  key.replays = key.replays + replay - entry.replay
  entry.replay = replay
  protocol.change_dead(key, entry)
end

function protocol.dead_between(key, index, from, to, most)
  local stored = key.was.dead
  if index == 'r' then stored = key.was.replays end
  local prefix = index .. places.order_prefix(key.name)
  local found = places.range_of(AT.dead_order, stored > 0, prefix, places.dead_place(key.epoch, from),
    places.dead_place(key.epoch, to), most, dead_moves(key, index))
  for place, text in ipairs(found) do found[place] = places.seq_of(text) end
  return found
end

-- The first event that is to be replayed.
function protocol.find_replay(key)
  local seq = protocol.dead_between(key, 'r', 0, key.last, 1)[1]
  return seq and dead_at(key, seq)
end

-- The held events between two seqs, in order.
function protocol.held_between(key, from, to, most)
  if key.count == 0 then return {} end
  local prefix, first, last = places.order_prefix(key.name), places.sortable(from), places.sortable(to)
  local known = {}
  for seq, entry in pairs(key.held) do known[places.sortable(seq)] = entry and true end
  local seqs = places.range_of(AT.order, key.was.count > 0, prefix, first, last, most, known)
  for place, seq in ipairs(seqs) do seqs[place] = places.seq_of(seq) end
  return seqs
end

-- The payload of what is held or was put aside.
function protocol.payload_of(entry)
  if entry.payload then return entry.payload end
  if entry.cause and not entry.moved_from then return call('HGET', AT.dead, 'p' .. entry.field) end
  return call('HGET', AT.payloads, entry.moved_from or held_field(entry.name, entry.seq))
end

-- Another body in an envelope, which is a line, then the body.
function protocol.give_body(entry, body)
  local before = protocol.payload_of(entry)
  local preamble = string.find(before, '\n', 1, true)
  entry.payload = string.sub(before, 1, preamble) .. body
  entry.size = entry.size + #entry.payload - #before
end
