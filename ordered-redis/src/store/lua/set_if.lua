-- Writes fields of some metadata, if others are as expected.
--
-- KEYS: M, or the metadata of the group
-- ARGV: count, so many pairs of a field and its expected value (empty: the metadata do not exist), the fields and values
-- Returns: 1 where they were written, and 0 where not
local first = 2 * ARGV[1] + 2
for at = 2, first - 1, 2 do
  local is_expected = redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1]
  if ARGV[at + 1] == '' then is_expected = redis.call('EXISTS', KEYS[1]) == 0 end
  if not is_expected then return 0 end
end
-- The first write takes no memory, so that Redis lets the second one through where it has none left.
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], unpack(ARGV, first))
return 1
