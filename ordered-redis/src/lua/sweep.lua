-- Finds keys of one bucket that have something to run and nobody to run it, and such as wait too long. Changes no key.
--
-- KEYS: k c w m due xq g halt s
-- ARGV: limit cursor count stuck_after gap_after max_attempts given_time
-- Returns: the next cursor of the scan over the claims, how many keys are halted, since when the oldest gap is (0 if there
-- is none), how many keys are stuck, each of those with the seq it waits for and since when, then the keys to run, each with 1 if
-- it is a suspect and 0 if it is none.
local STATES, CLAIMS, LEASES, TOTALS, DUE, DEAD_ORDER, GAPS, HALTS, CALLS = unpack(KEYS)
local limit, cursor, count, now = tonumber(ARGV[1]), ARGV[2], ARGV[3], time(tonumber(ARGV[7]))
local stuck_after, gap_after, max_attempts = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

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
  send('HDEL', CALLS, gone)
  return alive
end

local function has_replay(name, key)
  if key.replays == 0 then return false end
  local from, to = places.dead_place(key.epoch, 0), places.dead_place(key.epoch, key.last)
  return places.range_of(DEAD_ORDER, true, 'r' .. places.order_prefix(name), from, to, 1, {})[1] ~= nil
end

local function is_free(key)
  return key.paused == 0 and (key.phase == OPEN or key.phase == BACKING_OFF and key.due <= now)
end

-- The keys of this page of the claims whose worker is dead and of which something is stored.
local function abandoned(page, alive)
  local names, found, seen = {}, {}, {}
  for place = 1, #page, 2 do
    local name, worker = page[place], (decode(page[place + 1]))
    if not alive[worker] and not seen[name] then
      names[#names + 1], seen[name] = name, true
    end
  end
  for place, text in ipairs(fetch(STATES, names)) do
    local key, name = text and unpack_state(text), names[place]
    if key and is_free(key) then
      if key.count > 0 or has_replay(name, key) then found[#found + 1] = name end
    end
  end
  return found
end

-- The keys that wait since this long or longer, longest first, and since when.
local function waiting_for(millis)
  if millis < 0 or millis > now then return {} end
  return call('ZRANGEBYSCORE', GAPS, '-inf', digits(now - millis), 'WITHSCORES', 'LIMIT', 0, limit)
end

local function states_of(list)
  local names = {}
  for place = 1, #list, 2 do names[#names + 1] = list[place] end
  return names, fetch(STATES, names)
end

local page = call('HSCAN', CLAIMS, cursor, 'COUNT', count)
local oldest = call('ZRANGE', GAPS, 0, 0, 'WITHSCORES')
local answer = { page[1], call('ZCARD', HALTS), tonumber(oldest[2] or 0) }
local stuck = waiting_for(stuck_after)
local names, texts = states_of(stuck)
answer[#answer + 1] = #names
for place, name in ipairs(names) do
  answer[#answer + 1] = name
  answer[#answer + 1] = texts[place] and unpack_state(texts[place]).last + 1 or 1
  answer[#answer + 1] = tonumber(stuck[2 * place])
end

-- No worker alive has any of them.
local runnable = {}
local function run(list)
  local fresh = {}
  for _, name in ipairs(list) do
    if not runnable[name] then runnable[name], fresh[#fresh + 1] = true, name end
  end
  for place, text in ipairs(fetch(STATES, fresh)) do
    local key = text and unpack_state(text)
    answer[#answer + 1] = fresh[place]
    answer[#answer + 1] = key and is_suspect(key, max_attempts) and 1 or 0
  end
end

local alive = load_leases()
if call('HGET', TOTALS, 'paused') ~= '1' then
  run(call('ZRANGEBYSCORE', DUE, '-inf', digits(now), 'LIMIT', 0, limit))
  local waits, states = states_of(waiting_for(gap_after))
  local over = {}
  for place, name in ipairs(waits) do
    if states[place] and is_free(unpack_state(states[place])) then over[#over + 1] = name end
  end
  run(over)
  run(abandoned(page[2], alive))
end
return answer
