-- Part of apply: the committed events that are remembered, in a ring of three hashes. A hash takes the records of half of
-- the time-to-live, and Redis drops it whole before its turn comes again. Each record has its own exact expiry beside
-- that, so the ring decides nothing: it only frees memory.
--   "i<length of key>:<key><id>" → "<expiry>"
--   "s<seq>[.<epoch>]:<key>"     → "<expiry> <id>"
--   "x"                          → when the hash expires
local RING = { KEYS[10], KEYS[11], KEYS[12] }
local expiry = now + dedup_ttl
local expiry_text = format('%.0f', expiry)

-- The id that such a field holds.
local function id_in(field, name)
  return field:sub(#name + #(#name .. '') + 3)
end

-- Until when the first of these ids are remembered: false for one that is not. One that was committed twice may have two
-- records; the one that lasts longer counts.
local function done_until(fields, count)
  if count == 0 then return {} end
  local found = call('HMGET', RING[1], unpack(fields, 1, count))
  for slot = 2, 3 do
    local more = call('HMGET', RING[slot], unpack(fields, 1, count))
    for place = 1, count do
      local record, other = more[place], found[place]
      if record and (not other or tonumber(other) < tonumber(record)) then found[place] = record end
    end
  end
  for place = 1, count do
    local record = found[place]
    if record then found[place] = tonumber(record) end
  end
  return found
end

-- A hash lives until the youngest record that it can take is over. That is before its next turn, since two halves,
-- rounded up, are no less than the time-to-live. Never shortened: records of another time-to-live may be in it.
local function remember(records)
  if dedup_ttl == 0 or not records[1] then return end
  local width = (dedup_ttl + dedup_ttl % 2) / 2
  local turn = (now - now % width) / width
  local slot = RING[turn % 3 + 1]
  local expires = (turn + 1) * width - 1 + dedup_ttl
  local before = call('HGET', slot, 'x')
  call('HSET', slot, unpack(records))
  if not before or tonumber(before) < expires then
    local text = format('%.0f', expires)
    call('HSET', slot, 'x', text)
    call('PEXPIREAT', slot, text)
  end
end
