-- Makes the worker's claims in one bucket good for a time from now, by the server's clock.
--
-- KEYS: w k
-- ARGV: worker lease given_time
-- Returns: until when they are good.
local LEASES, STATES = unpack(KEYS)
local expiry = time(tonumber(ARGV[3])) + tonumber(ARGV[2])
-- Begins with a removal of nothing, so that it passes on a server that is out of memory; see apply.lua.
call('HDEL', LEASES, '')
call('HSET', LEASES, ARGV[1], digits(expiry))
make_table(STATES)
return expiry
