-- One bucket as a whole.
--
-- KEYS: k c w m g halt
-- ARGV: given_time
-- Returns: the time, how many keys there are, how many are claimed, wait for an event that has not come, and are halted;
-- the held events and their bytes, whether the group is paused, since when the oldest gap is (0 if there is none) and of
-- which key, then each worker and until when its lease is good.
local STATES, CLAIMS, LEASES, TOTALS, GAPS, HALTS = unpack(KEYS)
local totals = call('HMGET', TOTALS, 'events', 'bytes', 'paused')
local oldest = call('ZRANGE', GAPS, 0, 0, 'WITHSCORES')
local answer = {
  time(tonumber(ARGV[1])), call('HLEN', STATES), call('HLEN', CLAIMS), call('ZCARD', GAPS), call('ZCARD', HALTS),
  tonumber(totals[1] or 0), tonumber(totals[2] or 0), totals[3] == '1' and 1 or 0, tonumber(oldest[2] or 0), oldest[1] or '',
}
local leases = call('HGETALL', LEASES)
for place = 1, #leases, 2 do
  answer[#answer + 1] = leases[place]
  answer[#answer + 1] = tonumber(leases[place + 1])
end
return answer
