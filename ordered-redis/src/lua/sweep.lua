-- Finds keys of one bucket that have something to run and nobody to run it. Changes no key.
--
-- KEYS: k c h w due
-- ARGV: limit cursor count given_time
-- Returns: the next cursor of the scan over the claims, then the keys.
local STATES, CLAIMS, HELD, LEASES, DUE = unpack(KEYS)
local limit, cursor, count, now = tonumber(ARGV[1]), ARGV[2], ARGV[3], time(tonumber(ARGV[4]))

-- A worker without an entry is a dead one, so entries that are long over can go.
local FORGET_AFTER = 60 * 60 * 1000

local function load_leases()
  local alive, gone, stored = {}, {}, call('HGETALL', LEASES)
  for place = 1, #stored, 2 do
    local expiry = tonumber(stored[place + 1])
    alive[stored[place]] = expiry > now
    if expiry + FORGET_AFTER < now then gone[#gone + 1] = stored[place] end
  end
  send('HDEL', LEASES, gone)
  return alive
end

-- The keys of this page of the claims whose worker is dead and whose head is held. A claimed key is never backing
-- off or halted.
local function abandoned(page, alive)
  local names, found, seen = {}, {}, {}
  for place = 1, #page, 2 do
    local name, worker = page[place], cmsgpack.unpack(page[place + 1])[1]
    if not alive[worker] and not seen[name] then
      names[#names + 1], seen[name] = name, true
    end
  end
  for place, text in ipairs(fetch(STATES, names)) do
    local key = text and unpack_state(text)
    if key and key.count > 0 and call('HEXISTS', HELD, held_field(names[place], key.last + 1)) == 1 then
      found[#found + 1] = names[place]
    end
  end
  return found
end

local page = call('HSCAN', CLAIMS, cursor, 'COUNT', count)
local answer = { page[1] }
for _, name in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', digits(now), 'LIMIT', 0, limit)) do
  answer[#answer + 1] = name
end
for _, name in ipairs(abandoned(page[2], load_leases())) do answer[#answer + 1] = name end
return answer
