-- Makes the worker's claims in one bucket good for a time from now, by the server's clock.
--
-- KEYS: w
-- ARGV: worker lease given_time
-- Returns: until when they are good.
local expiry = time(tonumber(ARGV[3])) + tonumber(ARGV[2])
call('HSET', KEYS[1], ARGV[1], digits(expiry))
return expiry
