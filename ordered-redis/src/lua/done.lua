-- Part of apply: the committed events that are remembered, in a ring of five hashes. A hash takes the records of a
-- quarter of the time-to-live, and Redis drops it whole before its turn comes again. Each record has its own exact
-- expiry beside that, so the ring decides nothing: it only frees memory.
--   "i<length of key>:<key><id>" → "<seq> <expiry>"
--   "s<seq>[.<epoch>]:<key>"     → "<expiry> <id>"
--   "x"                          → when the hash expires
local RING = { KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14] }

local done_ids, done_seqs = {}, {} -- by field: the expiry, { id, expiry }; false where there is none
local records = {}

local function id_field(name, id)
  return 'i' .. #name .. ':' .. name .. id
end

-- A new numbering of the key forgets the seqs of the old one: its number is part of the field, unless it is the first.
local function seq_field(key, seq)
  local epoch = key.epoch > 0 and '.' .. digits(key.epoch) or ''
  return 's' .. digits(seq) .. epoch .. ':' .. key.name
end

-- An id that was committed twice may have two records: the one that lasts longer counts.
local function load_done_ids(fields)
  if #fields == 0 then return end
  for _, slot in ipairs(RING) do
    for place, record in ipairs(fetch(slot, fields)) do
      if record then
        local expiry = tonumber(string.match(record, ' (%d+)$'))
        done_ids[fields[place]] = max(expiry, done_ids[fields[place]] or 0)
      end
    end
  end
end

local function want_done_id(name, id, fields)
  local field = id_field(name, id)
  if done_ids[field] == nil then
    done_ids[field] = false
    fields[#fields + 1] = field
  end
end

local function load_done_seqs(fields)
  if #fields == 0 then return end
  for _, slot in ipairs(RING) do
    for place, record in ipairs(fetch(slot, fields)) do
      if record then
        local expiry, id = string.match(record, '^(%d+) (.*)$')
        done_seqs[fields[place]] = { id, tonumber(expiry) }
      end
    end
  end
end

local function is_repeat(key, id)
  local field = id_field(key.name, id)
  if done_ids[field] == nil then
    done_ids[field] = false
    load_done_ids({ field })
  end
  local expiry = done_ids[field]
  return expiry and expiry > now
end

-- The id that is remembered under a seq. What lay below the key's last seq when the batch began was read with it;
-- what came on top since is in memory.
local function done_at(key, seq)
  local record = done_seqs[seq_field(key, seq)]
  return record and record[2] > now and record[1]
end

local expiry, expiry_text = now + policy.dedup_ttl, digits(now + policy.dedup_ttl)

local function remember(key, seq, id)
  local by_id, by_seq = id_field(key.name, id), seq_field(key, seq)
  done_ids[by_id], done_seqs[by_seq] = expiry, { id, expiry }
  if policy.dedup_ttl == 0 then return end
  local count = #records
  records[count + 1], records[count + 2] = by_id, digits(seq) .. ' ' .. expiry_text
  records[count + 3], records[count + 4] = by_seq, expiry_text .. ' ' .. id
end

-- The hash lives until the youngest record that it can take is over. That is before its next turn, since four
-- quarters, rounded up, are no less than the time-to-live. Never shortened: records of another time-to-live may be in it.
local function save_done()
  if #records == 0 then return end
  local width = max(1, math.ceil(policy.dedup_ttl / 4))
  local turn = floor(now / width)
  local slot = RING[turn % 5 + 1]
  local expires = (turn + 1) * width - 1 + policy.dedup_ttl
  local before = call('HGET', slot, 'x')
  send('HSET', slot, records)
  if not before or tonumber(before) < expires then
    call('HSET', slot, 'x', digits(expires))
    call('PEXPIREAT', slot, digits(expires))
  end
end
