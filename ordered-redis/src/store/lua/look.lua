-- Looks at all leases, and forgets workers that own nothing.
-- KEYS: M W
-- ARGV: incarnation given_time, then a worker and its lease for each to forget
-- Returns: code now workers; for each worker its name, its lease, and 'alive', 'dead' or 'gone'
local now, workers = math.floor(clock(ARGV[2]) / 1000), {}
if call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then return { 1, now } end
call('HDEL', KEYS[1], '') -- takes no memory, so that Redis lets the other writes through
for at = 3, #ARGV, 2 do
  -- While the lease is the same, there was no heartbeat, and so no key for the worker.
  if call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 1] then
    call('HDEL', KEYS[2], ARGV[at])
    call('HDEL', KEYS[1], 'call:' .. ARGV[at])
  end
end
for at, worker in ipairs(call('HKEYS', KEYS[2])) do
  local state, lease = look(KEYS[2], worker, now)
  workers[at] = { worker, lease, state }
end
return { 0, now, workers }
