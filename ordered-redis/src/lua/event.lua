-- The payload of an event that is held or was put aside.
--
-- KEYS: k p x xq
-- ARGV: key seq
-- Returns: nothing, or the payload.
local STATES, PAYLOADS, DEAD, DEAD_ORDER = unpack(KEYS)
local name, seq = ARGV[1], tonumber(ARGV[2])

local text = call('HGET', STATES, name)
if not text then return {} end
local payload = call('HGET', PAYLOADS, held_field(name, seq))
local key = unpack_state(text)
if not payload and key.dead > 0 then
  payload = call('HGET', DEAD, 'p' .. places.dead_field(name, key.epoch, seq))
  local older = not payload and key.epoch > 0 and places.older_epoch(DEAD_ORDER, true, name, key.epoch, seq, {})
  if older then payload = call('HGET', DEAD, 'p' .. places.dead_field(name, older, seq)) end
end
return { payload or nil }
