-- Writes fields of some metadata, if others are as expected.
-- KEYS: M, or the metadata of the group
-- ARGV: count, so many pairs of a field and its expected value (empty: there is none), the fields and values
-- Returns: 1 where they were written, and 0 where not
local first = 2 * ARGV[1] + 2
for at = 2, first - 1, 2 do
  if (redis.call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1] then return 0 end
end
redis.call('HDEL', KEYS[1], '') -- takes no memory, so that Redis lets the next write through
redis.call('HSET', KEYS[1], unpack(ARGV, first))
return 1
