-- Comes before the scripts that need the time or look at leases.
local call, pack, read = redis.call, struct.pack, struct.unpack

-- The time in microseconds: the server's, or what a test gives in milliseconds.
local function clock(given)
  if given ~= '0' then return given * 1000 end
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A look at a worker: 'alive', 'dead', or 'gone' where it left or never had a lease; and its lease. The first look
-- after half of a lease puts the worker in doubt. One at least another half later finds it dead.
local function look(leases, worker, now)
  local lease = call('HGET', leases, worker)
  if not lease or #lease < 21 then return 'gone', lease end
  local beat, length, doubt = read('>I7I7I7', lease)
  -- What lies ahead was written before the clock stepped back.
  local new_beat, new_doubt, half = math.min(beat, now), math.min(doubt, now), math.floor(length / 2)
  if doubt == 0 and now >= new_beat + half then new_doubt = now end
  if new_beat ~= beat or new_doubt ~= doubt then
    lease = pack('>I7I7I7', new_beat, length, new_doubt)
    call('HSET', leases, worker, lease)
  end
  return doubt > 0 and now >= new_doubt + half and 'dead' or 'alive', lease
end
