-- Part of apply: the committed events that are remembered, in a ring of three hashes. A hash takes the records of half of
-- the time-to-live, and Redis drops it whole before its turn comes again. Each record has its own exact expiry beside
-- that, so the ring decides nothing: it only frees memory.
--   "i<length of key>:<key><id>" → "<expiry>"
--   "s<seq>[.<epoch>]:<key>"     → "<expiry> <id>"
--   "x"                          → when the hash expires
local RING = { KEYS[10], KEYS[11], KEYS[12] }
local expiry = now + policy.dedup_ttl
local expiry_text = digits(expiry)

-- Until when the first of these ids are remembered: false for one that is not. One that was committed twice may have two
-- records; the one that lasts longer counts.
local function done_until(fields, count)
  local found = fetch(RING[1], fields, count)
  for slot = 2, 3 do
    local more = fetch(RING[slot], fields, count)
    for place = 1, count do
      local record = more[place]
      if record and (not found[place] or tonumber(found[place]) < tonumber(record)) then found[place] = record end
    end
  end
  for place = 1, count do
    local record = found[place]
    if record then found[place] = tonumber(record) end
  end
  return found
end

-- The id that a field holds.
local function id_in(field, name)
  local size = #name
  local width = size < 10 and 1 or size < 100 and 2 or #digits(size)
  return string.sub(field, size + width + 3)
end

local records, record_count = {}, 0
local function remember(by_id, by_seq, id)
  if policy.dedup_ttl == 0 then return end
  local count = record_count
  records[count + 1], records[count + 2], records[count + 3] = by_id, expiry_text, by_seq
  records[count + 4] = expiry_text .. ' ' .. id
  record_count = count + 4
end

-- The hash lives until the youngest record that it can take is over. That is before its next turn, since two halves,
-- rounded up, are no less than the time-to-live. Never shortened: records of another time-to-live may be in it.
local function save_done()
  if record_count == 0 then return end
  local width = max(1, math.ceil(policy.dedup_ttl / 2))
  local turn = floor(now / width)
  local slot = RING[turn % 3 + 1]
  local expires = (turn + 1) * width - 1 + policy.dedup_ttl
  local before = call('HGET', slot, 'x')
  send('HSET', slot, records)
  if not before or tonumber(before) < expires then
    call('HSET', slot, 'x', digits(expires))
    call('PEXPIREAT', slot, digits(expires))
  end
  records, record_count = {}, 0
end
