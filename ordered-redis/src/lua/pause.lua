-- Pauses one bucket, or resumes it.
--
-- KEYS: m log
-- ARGV: paused said changed given_time
-- Returns: whether something was changed: 1 or 0. What is said, if anything, is written down if that was here or, as
-- `changed` says, elsewhere.
local TOTALS, LOG = unpack(KEYS)
local paused, said, is_changed = ARGV[1] == '1', ARGV[2], ARGV[3] == '1'

if (call('HGET', TOTALS, 'paused') == '1') ~= paused then
  is_changed = true
  if paused then call('HSET', TOTALS, 'paused', '1') else call('HDEL', TOTALS, 'paused') end
end
if is_changed and said ~= '' then write_down(LOG, time(tonumber(ARGV[4])), said, {}) end
return { is_changed and 1 or 0 }
