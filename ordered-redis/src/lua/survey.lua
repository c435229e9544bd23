-- A page of the keys of one bucket that are not idle.
--
-- KEYS: k n
-- ARGV: cursor count
-- Returns: the next cursor, then each key with whether it holds events, backs off and is paused, and how many of its
-- events were put aside.
local STATES, NOTED = unpack(KEYS)
local page = call('SSCAN', NOTED, ARGV[1], 'COUNT', ARGV[2])
local answer, names = { page[1] }, page[2]
for place, text in ipairs(fetch(STATES, names)) do
  local key = text and unpack_state(text) or fresh_state(0)
  for _, value in ipairs({
    names[place], key.count > 0 and 1 or 0, key.phase == BACKING_OFF and 1 or 0, key.paused, key.dead,
  }) do answer[#answer + 1] = value end
end
return answer
