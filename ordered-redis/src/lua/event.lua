-- The payload of an event that is held or was put aside.
--
-- KEYS: k p x
-- ARGV: key seq
-- Returns: nothing, or the payload.
local STATES, PAYLOADS, DEAD = unpack(KEYS)
local name, seq = ARGV[1], tonumber(ARGV[2])

local text = call('HGET', STATES, name)
if not text then return {} end
local payload = call('HGET', PAYLOADS, held_field(name, seq))
if not payload then payload = call('HGET', DEAD, 'p' .. places.dead_field(name, unpack_state(text).epoch, seq)) end
return { payload or nil }
