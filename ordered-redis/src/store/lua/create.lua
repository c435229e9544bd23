-- Writes the metadata of a group or a bucket, if its incarnation is still the expected one.
--
-- KEYS: meta
-- ARGV: expected (empty: there is no metadata at all), then fields and values
-- Returns: whether it was written
local meta = KEYS[1]
if ARGV[1] == '' then
  if redis.call('EXISTS', meta) == 1 then return 0 end
elseif redis.call('HGET', meta, 'incarnation') ~= ARGV[1] then
  return 0
end
redis.call('HSET', meta, unpack(ARGV, 2))
return 1
