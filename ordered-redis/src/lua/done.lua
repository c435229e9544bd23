-- Part of apply: the committed events that are remembered, in a ring of three hashes. A hash takes the records of half of
-- the time-to-live, and Redis drops it whole before its turn comes again. Each record has its own exact expiry beside
-- that, so the ring decides nothing: it only frees memory.
--
--   "<chunk>:<key>"     → the records of the key's events with these seqs, one behind the other: one field for each would
--                         take more than what is in it
--   1, 2 or 4 bytes     → a part of the index by id: entries of 8 bytes, the print of the id and the number of the chunk
--   ""                  → packed: when the hash expires, and how many entries were put into the index
--
-- An id is its print, 4 bytes that say where in the index it is looked for, and a body, which is compared (ids.rs). A print
-- alone decides nothing: what the index finds is looked up in its chunk. A record is
--   1 byte              the place of the seq in its chunk; + 16 if the id is no UUID; + 32 if the next is there
--   7 bytes and 7       the numbering and the seq, where the number of the chunk does not say them
--   2 bytes             the length of the body, if the id is no UUID, else it is 16
--   the body, and 6 bytes: until when it is remembered
local RING = { KEYS[10], KEYS[11], KEYS[12] }
local expiry = now + dedup_ttl
local sub, byte, char, pack_number = string.sub, string.byte, string.char, struct.pack
local read_record, done_until, remember

do
  -- How many entries a part of the index has, on average. The index grows by a part at a time, for which one of those that are
  -- there is parted by the next bit of the prints (linear hashing): so parts stay short, however many ids there are.
  local PER_PART = 16
  -- A part of so many bytes has entries of one id many times over.
  local LONG_PART = 8 * 4 * PER_PART
  local MOST_PARTS = 2 ^ 24
  -- How many fields are read with one command, for the sake of Lua's stack.
  local AT_ONCE = 2000
  local find, frexp, unpack_number = string.find, math.frexp, struct.unpack
  local rings = {} -- by slot, as they are after what was written

  -- How many parts an index of so many entries has, and the largest power of two that is no more than that.
  local function parts_of(count)
    local parts = (count - count % PER_PART) / PER_PART
    if parts < 1 then parts = 1 elseif parts > MOST_PARTS then parts = MOST_PARTS end
    local _, exponent = frexp(parts)
    return parts, 2 ^ (exponent - 1)
  end

  local function ring_at(slot)
    local ring = rings[slot]
    if not ring then
      local text = call('HGET', RING[slot], '')
      local expires, count = 0, 0
      if text then expires, count = decode(text) end
      ring = { expires = expires, count = count }
      rings[slot] = ring
    end
    return ring
  end

  -- The field of a part. Those of chunks have three bytes at the least and begin with a digit.
  local function part_field(address)
    if address < 256 then return char(address) end
    local low = address % 256
    local rest = (address - low) / 256
    if rest < 256 then return char(low, rest) end
    return char(255, low, rest % 256, (rest - rest % 256) / 256)
  end

  -- The record that begins here: where the next does, its place, its body, until when it is remembered.
  function read_record(text, at)
    local head, length = byte(text, at), 16
    local place = head % 16
    at = at + 1
    if head >= 32 then place, at = sub(text, at, at + 13), at + 14 end
    if head % 32 >= 16 then length, at = unpack_number('>I2', text, at) end
    local stop = at + length
    return stop + 6, place, sub(text, at, stop - 1), (unpack_number('>I6', text, stop))
  end

  -- Until when a body is remembered in a chunk, if longer than is known.
  local function kept_until(chunk, body, known)
    local at = 1
    while at <= #chunk do
      local next_at, _, other, expires = read_record(chunk, at)
      if other == body and expires > (known or 0) then known = expires end
      at = next_at
    end
    return known
  end

  -- Adds the fields of the chunks in which a part of the index says that the id may be.
  local function want_chunks(part, print, name, fields)
    local at, before = find(part, print, 1, true), nil
    while at do
      local entry = sub(part, at, at + 7)
      if at % 8 == 1 and entry ~= before then
        fields[#fields + 1] = format('%.0f:', (unpack_number('>I4', entry, 5))) .. name
        before = entry
      end
      at = find(part, print, at + 1, true)
    end
  end

  -- Until when the first of these ids are remembered: false for one that is not. One that was committed twice may have two
  -- records; the one that lasts longer counts.
  function done_until(ids, owners, numbers, prints, count)
    local found, fields = {}, {}
    for place = 1, count do found[place] = false end
    for slot = 1, count > 0 and 3 or 0 do
      local entries = ring_at(slot).count
      if entries > 0 then
        local parts, size = parts_of(entries)
        for place = 1, count do
          local address = numbers[place] % (2 * size)
          fields[place] = part_field(address < parts and address or address - size)
        end
        for first = 1, count, AT_ONCE do
          local read = call('HMGET', RING[slot], unpack(fields, first, count - first < AT_ONCE and count or first + AT_ONCE - 1))
          for place = first, first + #read - 1 do
            local part = read[place - first + 1]
            if part and find(part, prints[place], 1, true) then
              local chunks, id = {}, ids[place]
              want_chunks(part, prints[place], names[owners[place]] or owners[place], chunks)
              for _, chunk in ipairs(chunks) do
                local text = call('HGET', RING[slot], chunk)
                if text then found[place] = kept_until(text, sub(id, 5), found[place]) end
              end
            end
          end
        end
      end
    end
    return found
  end

  -- A part of the index without the entries of an id that is about to be put in again and lasts no shorter. `values` are the
  -- fields of the hash that this batch has read or changed.
  local function without_older(part, record, field, slot, values, places)
    local print, name, kept = sub(record.entry, 1, 4), sub(field, find(field, ':', 1, true) + 1), {}
    local _, _, body = read_record(record.mark .. record.ending, 1)
    for at = 1, #part, 8 do
      local entry, is_older = sub(part, at, at + 7), false
      if sub(entry, 1, 4) == print then
        local chunks = {}
        want_chunks(entry, print, name, chunks)
        local text = places[chunks[1]]
        text = text and values[text] or call('HGET', RING[slot], chunks[1])
        local known = text and kept_until(text, body)
        is_older = known and known <= expiry
      end
      if not is_older then kept[#kept + 1] = entry end
    end
    return table.concat(kept)
  end

  -- Parts a part of the index by the bit with this value.
  local function part_by(text, bit)
    local kept, moved, kept_count, moved_count, step = {}, {}, 0, 0, 0
    while bit >= 256 do bit, step = bit / 256, step + 1 end
    for at = 1, #text, 8 do
      local entry = sub(text, at, at + 7)
      if byte(text, at + step) % (2 * bit) >= bit then
        moved_count = moved_count + 1
        moved[moved_count] = entry
      else
        kept_count = kept_count + 1
        kept[kept_count] = entry
      end
    end
    return table.concat(kept), table.concat(moved)
  end

  -- Remembers what is told in fours: the field of the chunk, the record but for its end, the entry in the index, and the number
  -- that the print of the id is.
  --
  -- A hash lives until the youngest record that it can take is over. That is before its next turn, since two halves,
  -- rounded up, are no less than the time-to-live. Never shortened: records of another time-to-live may be in it.
  function remember(records)
    local added = #records / 4
    if dedup_ttl == 0 or added == 0 then return end
    local width = (dedup_ttl + dedup_ttl % 2) / 2
    local turn = (now - now % width) / width
    local slot = turn % 3 + 1
    local expires, ring = (turn + 1) * width - 1 + dedup_ttl, ring_at(slot)
    local parts, size = parts_of(ring.count)
    local more = parts_of(ring.count + added)

    local fields, places, count = {}, {}, 0
    local function place_of(field)
      local place = places[field]
      if not place then
        place = count + 1
        count, fields[place], places[field] = place, field, place
      end
      return place
    end
    local parts_at = {}
    for at = 1, 4 * added, 4 do
      local address = records[at + 3] % (2 * size)
      place_of(records[at])
      parts_at[at] = place_of(part_field(address < parts and address or address - size))
    end
    for address = parts, more - 1 do
      local _, exponent = frexp(address)
      local parent = address - 2 ^ (exponent - 1)
      if parent < parts then place_of(part_field(parent)) end
    end

    local values, ending = call('HMGET', RING[slot], unpack(fields)), pack_number('>I6', expiry)
    for at = 1, 4 * added, 4 do
      local chunk, index, mark, entry = places[records[at]], parts_at[at], records[at + 1], records[at + 2]
      local part = values[index] or ''
      if #part >= LONG_PART then
        part = without_older(part, { entry = entry, mark = mark, ending = ending }, records[at], slot, values, places)
      end
      values[chunk], values[index] = (values[chunk] or '') .. mark .. ending, part .. entry
    end
    for address = parts, more - 1 do
      local _, exponent = frexp(address)
      local bit = 2 ^ (exponent - 1)
      local parent = place_of(part_field(address - bit))
      values[parent], values[place_of(part_field(address))] = part_by(values[parent] or '', bit)
    end

    local is_longer = ring.expires < expires
    ring.count, ring.expires = ring.count + added, is_longer and expires or ring.expires
    local written = { '', pack(ring.expires, ring.count) }
    for place = 1, count do
      written[2 * place + 1], written[2 * place + 2] = fields[place], values[place] or ''
    end
    call('HSET', RING[slot], unpack(written))
    if is_longer then call('PEXPIREAT', RING[slot], format('%.0f', expires)) end
  end
end
