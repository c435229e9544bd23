-- Renews the lease of a worker, or ends it.
--
-- KEYS: M W
-- ARGV: incarnation worker length given_time; a length of 0 ends the lease
-- Returns: code now paused generations; code: 0 done, 1 state lost
-- luacheck: read globals call clock
local meta = call('HMGET', KEYS[1], 'incarnation', 'paused', 'ids')
local now = math.floor(clock(ARGV[4]) / 1000)
if meta[1] ~= ARGV[1] then return { 1, now } end
-- The first write takes no memory, so that Redis lets the second one through where it has none left.
call('HDEL', KEYS[1], '')
local lease = ARGV[3] == '0' and struct.pack('>I7', now) or struct.pack('>I7I7I7', now, ARGV[3], 0)
call('HSET', KEYS[2], ARGV[2], lease)
return { 0, now, tonumber(meta[2] or 0), meta[3] }
