-- Renews the lease of a worker, or ends it.
-- KEYS: M W
-- ARGV: incarnation worker length given_time; a length of 0 ends the lease
-- Returns: code now paused ids
local meta, now = call('HMGET', KEYS[1], 'incarnation', 'paused', 'ids'), math.floor(clock(ARGV[4]) / 1000)
if meta[1] ~= ARGV[1] then return { 1, now } end
call('HDEL', KEYS[1], '') -- takes no memory, so that Redis lets the next write through
call('HSET', KEYS[2], ARGV[2], ARGV[3] == '0' and pack('>I7', now) or pack('>I7I7I7', now, ARGV[3], 0))
return { 0, now, tonumber(meta[2] or 0), meta[3] }
