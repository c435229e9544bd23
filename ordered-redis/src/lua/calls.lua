-- Part of apply: the calls of a worker are numbered. One that the worker gave up, because no answer came, and said again may
-- still be on its way, and arrive after later ones. Carried out then, it could leave a key with a worker that does not
-- know of it. So what comes after a later call of the same run is refused; nobody waits for its answer.
--
-- s holds, by worker, "<run> <number>" of its last call. A call with the number 0 is nobody's, and always in time.
local function is_overtaken()
  if policy.call == 0 then return false end
  local run, number = string.match(call('HGET', AT.calls, worker) or '', '^(%S+) (%d+)$')
  return run == policy.run and tonumber(number) > policy.call
end

-- Last of all, and where nothing was written yet behind a removal of nothing, so that a server without memory takes it.
local function note_call()
  if policy.call == 0 then return end
  if not has_begun then call('HDEL', AT.calls, '') end
  call('HSET', AT.calls, worker, policy.run .. ' ' .. digits(policy.call))
end

if is_overtaken() then
  do return { OVERTAKEN } end
end
