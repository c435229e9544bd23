-- Gives events the next seqs of their keys and keeps them, in one step: all of them, or none. An event whose id is
-- remembered gets the seq that it has.
-- KEYS: meta last first kept due, then for each event the place where its id is remembered
-- ARGV: layout remember max_events max_bytes, then for each event its key and what is kept of it
-- Returns: code now seqs; code 1: another layout, or none, 2: too much is kept already
local META, LAST, FIRST, KEPT, DUE, FIXED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], 5
local call, time = redis.call, redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = call('HMGET', META, 'layout', 'events', 'bytes')
local events, bytes, seqs, new = tonumber(meta[2] or 0), tonumber(meta[3] or 0), {}, {}
if meta[1] ~= ARGV[1] then return { 1, now } end
for event = 1, #KEYS - FIXED do
  seqs[event] = call('GET', KEYS[FIXED + event])
  if not seqs[event] then
    new[#new + 1] = event
    events, bytes = events + 1, bytes + #ARGV[4 + 2 * event]
  end
end
if #new > 0 and (events > tonumber(ARGV[3]) or bytes > tonumber(ARGV[4])) then return { 2, now } end
-- The first write takes memory, so that Redis refuses the whole where it has none.
if #new > 0 then call('HSET', META, 'events', events, 'bytes', bytes) end
for _, event in ipairs(new) do
  local key, place = ARGV[3 + 2 * event], KEYS[FIXED + event]
  -- The same id may stand twice in one call.
  local seq = call('GET', place)
  if seq then
    call('HINCRBY', META, 'events', -1)
    call('HINCRBY', META, 'bytes', -#ARGV[4 + 2 * event])
  else
    seq = string.format('%.0f', call('HINCRBY', LAST, key, 1))
    call('SET', place, seq, 'PX', ARGV[2])
    call('HSET', KEPT, seq .. ':' .. key, ARGV[4 + 2 * event])
    if call('HSETNX', FIRST, key, seq) == 1 then call('ZADD', DUE, now, key) end
  end
  seqs[event] = seq
end
return { 0, now, seqs }
