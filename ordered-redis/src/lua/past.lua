-- Part of apply: what is remembered of the events that what is left asks for.
local done_ids = {} -- by field: until when; false where it is not remembered
local done_seqs = {} -- by field: { id, until when }
for place, field in ipairs(ids) do done_ids[field] = done[place] end -- nothing where it was not looked up

local function id_field(name, id)
  return 'i' .. #name .. ':' .. name .. id
end

-- A new numbering of the key forgets the seqs of the old one: its number is part of the field, unless it is the first.
local function seq_field(key, seq)
  return 's' .. digits(seq) .. (key.epoch > 0 and '.' .. digits(key.epoch) or '') .. ':' .. key.name
end

local function want_done_id(name, id, fields)
  local field = id_field(name, id)
  if done_ids[field] == nil then
    done_ids[field] = false
    fields[#fields + 1] = field
  end
end

local function load_done_ids(fields)
  if #fields == 0 then return end
  for place, until_when in ipairs(done_until(fields, #fields)) do done_ids[fields[place]] = until_when end
end

local function load_done_seqs(fields)
  if #fields == 0 then return end
  for _, slot in ipairs(RING) do
    for place, record in ipairs(fetch(slot, fields)) do
      if record then
        local until_when, id = string.match(record, '^(%d+) (.*)$')
        done_seqs[fields[place]] = { id, tonumber(until_when) }
      end
    end
  end
end

local function is_repeat(key, id)
  local field = id_field(key.name, id)
  if done_ids[field] == nil then load_done_ids({ field }) end
  local until_when = done_ids[field]
  return until_when and until_when > now
end

-- The id that is remembered under a seq. What lay below the key's last seq when the batch began was read with it;
-- what came on top since is in memory.
local function done_at(key, seq)
  local record = done_seqs[seq_field(key, seq)]
  return record and record[2] > now and record[1]
end

local records = {}
local function note_done(key, seq, id)
  local by_id, by_seq, count = id_field(key.name, id), seq_field(key, seq), #records
  done_ids[by_id], done_seqs[by_seq] = expiry, { id, expiry }
  records[count + 1], records[count + 2] = by_id, expiry_text
  records[count + 3], records[count + 4] = by_seq, expiry_text .. ' ' .. id
end
