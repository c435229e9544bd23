-- Sets the last seq of a key, if it is lower and nothing is kept of the key.
-- KEYS: meta last first
-- ARGV: layout key seq
-- Returns: code; 1: another layout, or none, 2: events of the key are kept
local call = redis.call
if call('HGET', KEYS[1], 'layout') ~= ARGV[1] then return 1 end
if call('HEXISTS', KEYS[3], ARGV[2]) == 1 then return 2 end
if tonumber(call('HGET', KEYS[2], ARGV[2]) or 0) < tonumber(ARGV[3]) then call('HSET', KEYS[2], ARGV[2], ARGV[3]) end
return 0
