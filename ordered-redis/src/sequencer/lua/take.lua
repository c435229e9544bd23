-- Claims keys of which something is kept that nobody publishes, and gives what is kept of them.
-- KEYS: meta last first kept due claims
-- ARGV: layout worker lease keys events of_each
-- Returns: code now taken; for each key its name, the first seq, and the events from there on
local LAST, FIRST, KEPT, DUE, CLAIMS = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, time = redis.call, redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if call('HGET', KEYS[1], 'layout') ~= ARGV[1] then return { 1, now } end
call('HDEL', KEYS[1], '') -- takes no memory, so that Redis lets the other writes through
local taken, room = {}, tonumber(ARGV[5])
for _, key in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, ARGV[4])) do
  if room <= 0 then break end
  local first, last = tonumber(call('HGET', FIRST, key)), tonumber(call('HGET', LAST, key))
  local events = {}
  for seq = first, math.min(last, first + math.min(room, tonumber(ARGV[6])) - 1) do
    events[#events + 1] = call('HGET', KEPT, string.format('%.0f', seq) .. ':' .. key)
  end
  room = room - #events
  call('ZADD', DUE, now + ARGV[3], key)
  call('HSET', CLAIMS, key, ARGV[2])
  taken[#taken + 1] = { key, string.format('%.0f', first), events }
end
return { 0, now, taken }
