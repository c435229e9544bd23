-- A page of the events that are kept of a key, whole and in order: such as wait, or (aside = 1) such as were put aside.
--
-- KEYS: k h p q x xq
-- ARGV: key aside epoch seq most bytes
-- Returns: for each from the place (epoch, seq) on, at most `most` and no more after `bytes`: epoch, seq, id, since, payload,
-- and of one that was put aside its cause, error, attempts and whether it is to be run again.
local STATES, HELD, PAYLOADS, ORDER, DEAD, DEAD_ORDER = unpack(KEYS)
local name, aside, epoch, seq = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local most, bytes = tonumber(ARGV[5]), tonumber(ARGV[6])

local text = call('HGET', STATES, name)
if not text then return {} end
local key = unpack_state(text)
local answer, last = {}, places.sortable(2 ^ 53)

local function push(...)
  for _, value in ipairs({ ... }) do answer[#answer + 1] = value end
end

local function put_aside(place)
  local of, at = tonumber(string.sub(place, 1, 16)), places.seq_of(place)
  local field = places.dead_field(name, of, at)
  local meta, payload = unpack(call('HMGET', DEAD, 'm' .. field, 'p' .. field))
  if not meta or not payload then return end
  local id, cause, message, attempts, since, replay = unpack(decode(meta))
  push(of, at, id, since, payload, cause, message, attempts, replay)
  bytes = bytes - #payload
end

local function waiting(place)
  local at = places.seq_of(place)
  local field = held_field(name, at)
  local meta, payload = call('HGET', HELD, field), call('HGET', PAYLOADS, field)
  if not meta or not payload then return end
  local entry = unpack_meta(meta)
  push(0, at, entry.id, entry.since, payload)
  bytes = bytes - #payload
end

local prefix, from, to, index, stored = places.order_prefix(name), places.sortable(seq), last, ORDER, key.count
if aside then
  prefix, from, to, index, stored = 'd' .. prefix, places.dead_place(epoch, seq), last .. last, DEAD_ORDER, key.dead
end
for _, place in ipairs(places.range_of(index, stored > 0, prefix, from, to, most, {})) do
  if bytes <= 0 then break end
  if aside then put_aside(place) else waiting(place) end
end
return answer
