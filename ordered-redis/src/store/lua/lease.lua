-- The beginning of the scripts that look at leases: the time, and whether a worker is alive.
--
-- A lease is: beat(7) length(7) doubt(7), big endian, in milliseconds; doubt is 0 for none. A shorter one is that of a
-- worker that left.
-- luacheck: ignore 211
local call = redis.call

-- The time in microseconds: the server's, or what a test gives in milliseconds.
local function clock(given)
  if given ~= '0' then return given * 1000 end
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A look at a worker: 'alive', 'dead', or 'gone' where it left or never had a lease. The first look after half of a lease
-- puts the worker in doubt, and one at least another half later finds it dead, so that a step of the clock kills nobody.
local function look(leases, worker, now)
  local lease = call('HGET', leases, worker)
  if not lease or #lease < 21 then return 'gone', lease end
  local beat, length, doubt = struct.unpack('>I7I7I7', lease)
  local half = math.floor(length / 2)
  -- What lies ahead was written before the clock stepped back.
  local new_beat, new_doubt, state = math.min(beat, now), math.min(doubt, now), 'alive'
  if doubt > 0 then
    if now >= new_doubt + half then state = 'dead' end
  elseif now >= new_beat + half then
    new_doubt = now
  end
  if new_beat ~= beat or new_doubt ~= doubt then
    lease = struct.pack('>I7I7I7', new_beat, length, new_doubt)
    call('HSET', leases, worker, lease)
  end
  return state, lease
end
