-- Part of what operators do: the log of it, one for each bucket, so that a verb and its entry are written in one step.
local AUDIT_ENTRIES = 2000

-- The effect of a verb is told in numbers. The time is the server's own, in microseconds: by it the logs of the buckets
-- are put in one order.
local function write_down(log, at, said, effect)
  local parts = call('TIME')
  local micros = parts[1] .. string.format('%06d', tonumber(parts[2]))
  for place, number in ipairs(effect) do effect[place] = digits(number) end
  call('XADD', log, 'MAXLEN', '~', AUDIT_ENTRIES, '*', 'time', micros, 'at', digits(at), 'said', said, 'effect',
    table.concat(effect, ' '))
end
