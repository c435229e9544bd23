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

-- Redis keeps a hash of up to 512 short fields as one list (hash-max-listpack-entries), and finds a field by going through it:
-- with some hundred keys that is most of what an event costs. A single long value makes a table of it, which it stays when
-- the value is gone again, until Redis is started anew. Whether that may be done here makes no difference to anybody else.
local coding = redis.pcall('OBJECT', 'ENCODING', STATES)
if coding == 'listpack' or coding == 'ziplist' then
  redis.pcall('HSET', STATES, '', string.rep(' ', 1000))
  redis.pcall('HDEL', STATES, '')
end
return expiry
