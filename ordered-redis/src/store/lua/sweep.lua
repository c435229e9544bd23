-- Finds the keys of one bucket that need an owner, and forgets workers that own nothing any more.
--
-- KEYS: M W O K due gap halted
-- ARGV: incarnation given_time limit longest_wait stuck_after scan cursor, then a worker and its lease for each to forget
-- Returns: code now due orphaned stuck halted oldest cursor unreachable holders; code: 0 done, 1 state lost
--   due: each key and score; stuck: the same and the record; oldest: key and score
--   cursor: where to go on, empty at the end; orphaned: may be more than the limit
--   unreachable: the workers that are dead or gone, each with its lease; holders: those of them that were seen to own keys
-- luacheck: read globals call clock look
local META, LEASES, OWNERS, RECORDS, DUE, GAP, HALTED = unpack(KEYS)
local NEVER, PAGE, PAGES = '(4503599627370496', 512, 8
local now = math.floor(clock(ARGV[2]) / 1000)
if call('HGET', META, 'incarnation') ~= ARGV[1] then return { 1, now } end
local limit = tonumber(ARGV[3])
-- The first write takes no memory, so that Redis lets the others through where it has none left.
call('HDEL', META, '')

for at = 8, #ARGV, 2 do
  -- A lease that is still the same had no heartbeat, so that its worker got no key since it was found to have none.
  if call('HGET', LEASES, ARGV[at]) == ARGV[at + 1] then
    call('HDEL', LEASES, ARGV[at])
    call('HDEL', META, 'call:' .. ARGV[at])
  end
end
local states, unreachable = {}, {}
for _, worker in ipairs(call('HKEYS', LEASES)) do
  local state, lease = look(LEASES, worker, now)
  states[worker] = state
  if state ~= 'alive' then unreachable[#unreachable + 1] = { worker, lease } end
end
local function holder(owner) return string.sub(owner, 9, 8 + string.byte(owner, 8)) end

local due = {}
local function find_due(from, to)
  for page = 0, PAGES - 1 do
    local some = call('ZRANGEBYSCORE', DUE, from, to, 'WITHSCORES', 'LIMIT', page * PAGE, PAGE)
    for at = 1, #some, 2 do
      local owner = #due < limit and call('HGET', OWNERS, some[at])
      if #due < limit and not (owner and states[holder(owner)] == 'alive') then
        due[#due + 1] = { some[at], some[at + 1] }
      end
    end
    if #some < 2 * PAGE or #due == limit then return end
  end
end
find_due('-inf', now)
-- Later than any wait: listed before the clock stepped back.
find_due(string.format('(%.0f', now + ARGV[4]), NEVER)

local orphaned, holders, is_holder, cursor = {}, {}, {}, ARGV[7]
for _ = 1, (ARGV[6] == '1' or #unreachable > 0) and PAGES or 0 do
  local next_cursor, owners = unpack(call('HSCAN', OWNERS, cursor, 'COUNT', PAGE))
  for at = 1, #owners, 2 do
    local worker = owners[at] ~= '' and holder(owners[at + 1])
    if worker and states[worker] ~= 'alive' then
      if not is_holder[worker] then holders[#holders + 1] = worker end
      is_holder[worker] = true
      orphaned[#orphaned + 1] = owners[at]
    end
  end
  -- A page that has more than there is room for is looked at again.
  if #orphaned > limit then break end
  cursor = next_cursor == '0' and '' or next_cursor
  if cursor == '' or #orphaned == limit then break end
end

local stuck = {}
local waiting = call('ZRANGEBYSCORE', GAP, '-inf', now - ARGV[5], 'WITHSCORES', 'LIMIT', 0, limit)
for at = 1, #waiting, 2 do
  stuck[#stuck + 1] = { waiting[at], waiting[at + 1], call('HGET', RECORDS, waiting[at]) }
end
local oldest = call('ZRANGE', GAP, 0, 0, 'WITHSCORES')
return { 0, now, due, orphaned, stuck, call('ZCARD', HALTED), oldest, cursor, unreachable, holders }
