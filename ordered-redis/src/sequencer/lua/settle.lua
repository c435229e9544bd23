-- Forgets what is confirmed, renews the claims of a worker or gives them up, and gives what is kept next.
-- KEYS: meta last first kept due claims
-- ARGV: layout worker lease, then for each key its name, the last seq that is confirmed, how many events are wanted,
--   and after how many milliseconds somebody may take the key (empty: it stays with the worker)
-- Returns: code now answers; for each key 'done', 'lost' or 'free', or the first seq that is kept and the events wanted
local META, LAST, FIRST, KEPT, DUE, CLAIMS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, format, time = redis.call, string.format, redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if call('HGET', META, 'layout') ~= ARGV[1] then return { 1, now } end
call('HDEL', META, '') -- takes no memory, so that Redis lets the other writes through
local answers, events, bytes = {}, 0, 0
for at = 4, #ARGV, 4 do
  local key, through, wanted, wait = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3]
  local first, last = tonumber(call('HGET', FIRST, key) or 0), tonumber(call('HGET', LAST, key) or 0)
  local ours, answer = call('HGET', CLAIMS, key) == ARGV[2], nil
  -- What the broker has confirmed is published, whoever has the key by now.
  for seq = first, first > 0 and math.min(through, last) or -1 do
    local field = format('%.0f', seq) .. ':' .. key
    events, bytes = events + 1, bytes + call('HSTRLEN', KEPT, field)
    call('HDEL', KEPT, field)
  end
  if first > 0 then first = math.max(first, through + 1) end
  if first == 0 or first > last then
    call('HDEL', FIRST, key)
    call('HDEL', CLAIMS, key)
    call('ZREM', DUE, key)
    answer = 'done'
  else
    call('HSET', FIRST, key, format('%.0f', first))
  end
  if not answer and not ours then answer = 'lost' end
  if not answer and wait ~= '' then
    call('HDEL', CLAIMS, key)
    call('ZADD', DUE, now + wait, key)
    answer = 'free'
  end
  if not answer then
    local kept = {}
    for seq = first, math.min(last, first + wanted - 1) do
      kept[#kept + 1] = call('HGET', KEPT, format('%.0f', seq) .. ':' .. key)
    end
    call('ZADD', DUE, now + ARGV[3], key)
    answer = { format('%.0f', first), kept }
  end
  answers[#answers + 1] = answer
end
if events > 0 then
  call('HINCRBY', META, 'events', -events)
  call('HINCRBY', META, 'bytes', -bytes)
end
return { 0, now, answers }
