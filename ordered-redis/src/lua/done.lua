-- Part of apply: the committed events that are remembered, in a ring of five hashes. A hash takes the records of a
-- quarter of the time-to-live, and Redis drops it whole before its turn comes again. Each record has its own exact
-- expiry beside that, so the ring decides nothing: it only frees memory.
--   "i<length of key>:<key><id>" → "<seq> <expiry>"
--   "s<seq>:<key>"               → "<expiry> <id>"
--   "x"                          → when the hash expires
local RING = { KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14] }

local done_ids, done_seqs = {}, {} -- by field: the expiry, { id, expiry }; false where there is none
local records = {}

local function id_field(name, id)
  return 'i' .. #name .. ':' .. name .. id
end

local function seq_field(name, seq)
  return 's' .. digits(seq) .. ':' .. name
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
  return field
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

local function is_repeat(field)
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
  local record = done_seqs[seq_field(key.name, seq)]
  return record and record[2] > now and record[1]
end

local expiry, expiry_text = now + dedup_ttl, digits(now + dedup_ttl)

local function remember(key, seq, id)
  local by_id, place = id_field(key.name, id), digits(seq)
  local by_seq = 's' .. place .. ':' .. key.name
  done_ids[by_id], done_seqs[by_seq] = expiry, { id, expiry }
  if dedup_ttl == 0 then return end
  local count = #records
  records[count + 1], records[count + 2] = by_id, place .. ' ' .. expiry_text
  records[count + 3], records[count + 4] = by_seq, expiry_text .. ' ' .. id
end
