-- A page of the claims of one bucket.
--
-- KEYS: c
-- ARGV: cursor count
-- Returns: the next cursor, then each key and its worker.
local page = call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local answer = { page[1] }
for place = 1, #page[2], 2 do
  answer[#answer + 1] = page[2][place]
  answer[#answer + 1] = (decode(page[2][place + 1]))
end
return answer
