-- Writes another list of the generations of remembered ids, if nobody else has meanwhile.
--
-- KEYS: meta
-- ARGV: incarnation expected generations
-- Returns: the generations; nothing where the state was lost
local meta = redis.call('HMGET', KEYS[1], 'incarnation', 'ids')
if meta[1] ~= ARGV[1] then return false end
if meta[2] ~= ARGV[2] then return meta[2] end
-- The first write takes no memory, so that Redis lets the second one through where it has none left.
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'ids', ARGV[3])
return ARGV[3]
