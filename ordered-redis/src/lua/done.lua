-- Part of apply: the committed events that are remembered, in a ring of three hashes. A hash takes the records of half of
-- the time-to-live, and Redis drops it whole before its turn comes again. Each record has its own exact expiry beside
-- that, so the ring decides nothing: it only frees memory.
--
--   "<chunk>:<key>"     → the records of the key's events with these seqs, one behind the other: one field for each would
--                         take more than what is in it
--   1, 2 or 4 bytes     → a part of the index by id: entries of 8 bytes, the print of the id and the number of the chunk
--   ""                  → packed: when the hash expires, how many entries were put into the index, how many parts it began with
--
-- An id is its print, 4 bytes that say where in the index it is looked for, and a body, which is compared (ids.rs). A print
-- alone decides nothing: what the index finds is looked up in its chunk. So an entry may be there before its record is,
-- and is written when the event is granted, when the part is at hand because the id was looked up. The claim says of which
-- ring that was (`ring_tag`); a commit that comes when it is another's turn writes the entry again.
--
-- A record is
--   1 byte              the place of the seq in its chunk; + 16 if the id is no UUID; + 32 if the next is there
--   7 bytes and 7       the numbering and the seq, where the number of the chunk does not say them
--   2 bytes             the length of the body, if the id is no UUID, else it is 16
--   the body, and 6 bytes: until when it is remembered
local RING = { KEYS[10], KEYS[11], KEYS[12] }
local expiry = now + dedup_ttl
local sub, byte, char, pack_number = string.sub, string.byte, string.char, struct.pack
-- What no ring is called.
local NO_RING = '       '
local ring_tag = NO_RING
-- In which part of the index each of the ids lies that were looked up, and what was read of it.
local looked_parts, looked_texts = nil, {}
local read_record, done_until, part_of, remember

do
  -- How many entries a part of the index has, on average. The index grows by a part at a time, for which one of those that
  -- are there is parted by the next bit of the prints (linear hashing): so parts stay short, however many ids there are.
  local PER_PART = 16
  -- A part of so many bytes has entries of one id many times over.
  local LONG_PART = 8 * 4 * PER_PART
  local LEAST_PARTS, MOST_PARTS = 256, 2 ^ 24
  -- How many fields are read with one command, for the sake of Lua's stack.
  local AT_ONCE = 2000
  local find, rep, concat, frexp, unpack_number = string.find, string.rep, table.concat, math.frexp, struct.unpack
  local rings = {} -- by slot, as they are after what was written

  -- The hash whose turn it is lives until the youngest record that it can take is over. That is before its next turn, since
  -- two halves, rounded up, are no less than the time-to-live.
  local here, expires
  if dedup_ttl > 0 then
    local width = (dedup_ttl + dedup_ttl % 2) / 2
    local turn = (now - now % width) / width
    here, expires = turn % 3 + 1, (turn + 1) * width - 1 + dedup_ttl
    ring_tag = pack_number('>BI6', here, expires)
  end

  local function upto(first, count)
    return count - first < AT_ONCE and count or first + AT_ONCE - 1
  end

  local function largest_power(number)
    local _, exponent = frexp(number)
    return 2 ^ (exponent - 1)
  end

  -- Of how many parts the index is, and the largest power of two that is no more than that.
  local function size_ring(ring)
    local parts = (ring.count - ring.count % PER_PART) / PER_PART
    if parts < ring.least then parts = ring.least elseif parts > MOST_PARTS then parts = MOST_PARTS end
    ring.parts, ring.size = parts, largest_power(parts)
  end

  local function ring_at(slot)
    local ring = rings[slot]
    if not ring then
      local text = call('HGET', RING[slot], '')
      ring = { expires = 0, count = 0, least = LEAST_PARTS }
      if text then ring.expires, ring.count, ring.least = decode(text) end
      rings[slot] = ring
      -- It is likely to become as large as the one before it.
      if not text and slot == here then
        local before = { count = ring_at((slot + 1) % 3 + 1).count, least = LEAST_PARTS }
        size_ring(before)
        ring.least = before.parts
      end
      size_ring(ring)
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

  local function part_in(ring, number)
    local address = number % (2 * ring.size)
    return part_field(address < ring.parts and address or address - ring.size)
  end

  -- The part of the index of this turn's hash in which an id is.
  function part_of(number)
    return part_in(ring_at(here), number)
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

  -- The chunks in which a part of the index says that the id may be, by their fields.
  local function chunks_in(part, print, name)
    local fields, seen = {}, {}
    local at = find(part, print, 1, true)
    while at do
      local chunk = at % 8 == 1 and unpack_number('>I4', part, at + 4)
      if chunk and not seen[chunk] then
        seen[chunk], fields[#fields + 1] = true, format('%.0f:', chunk) .. name
      end
      at = find(part, print, at + 1, true)
    end
    return fields
  end

  -- Until when the first of these ids are remembered: false for one that is not. One that was committed twice may have two
  -- records; the one that lasts longer counts. An owner is a key, or the place of one.
  function done_until(ids, owners, numbers, prints, count)
    local found = {}
    for place = 1, count do found[place] = false end
    for slot = 1, count > 0 and 3 or 0 do
      local ring, is_here, fields, keep = ring_at(slot), slot == here, {}, nil
      if ring.count > 0 or is_here then
        local parts, size = ring.parts, ring.size
        for place = 1, count do
          local address = numbers[place] % (2 * size)
          if address >= parts then address = address - size end
          fields[place] = address < 256 and char(address) or part_field(address)
        end
        if is_here and not looked_parts then looked_parts, keep = fields, looked_texts end
      end
      for first = 1, ring.count > 0 and count or 0, AT_ONCE do
        local last = upto(first, count)
        local read = call('HMGET', RING[slot], unpack(fields, first, last))
        for place = first, last do
          local part, print = read[place - first + 1], prints[place]
          if keep then keep[place] = part end
          if part and find(part, print, 1, true) then
            local id = ids[place]
            for _, chunk in ipairs(chunks_in(part, print, names[owners[place]] or owners[place])) do
              local text = call('HGET', RING[slot], chunk)
              if text then found[place] = kept_until(text, sub(id, 5), found[place]) end
            end
          end
        end
      end
    end
    return found
  end

  -- A long part of the index without what says the same again: of the events with this id that are remembered, only the one
  -- that is so for the longest has to be found.
  local function tidied(part, print, name, id)
    local kept, seen, best, best_place = {}, {}, 0, nil
    for at = 1, #part, 8 do
      local entry = sub(part, at, at + 7)
      local until_when
      if sub(entry, 1, 4) == print and not seen[entry] then
        local text = call('HGET', RING[here], chunks_in(entry, print, name)[1])
        until_when = text and kept_until(text, sub(id, 5))
      end
      if until_when and until_when > best then
        if best_place then kept[best_place] = '' end
        best, best_place, until_when = until_when, #kept + 1, nil
      end
      if not seen[entry] and not until_when then kept[#kept + 1] = entry end
      seen[entry] = true
    end
    return concat(kept)
  end

  -- Parts a part of the index by the bit with this value.
  local function part_by(text, bit)
    local kept, moved, kept_count, moved_count, step = {}, {}, 0, 0, 0
    while bit >= 256 do bit, step = bit / 256, step + 1 end
    for first = 1, #text, 512 do
      local piece = sub(text, first, first + 511)
      local entries, bytes = { unpack_number(rep('c8', #piece / 8), piece) }, { byte(piece, 1, -1) }
      for place = 1, #piece / 8 do
        if bytes[8 * place - 7 + step] % (2 * bit) >= bit then
          moved_count = moved_count + 1
          moved[moved_count] = entries[place]
        else
          kept_count = kept_count + 1
          kept[kept_count] = entries[place]
        end
      end
    end
    return concat(kept), concat(moved)
  end

  -- Reads fields of this turn's hash.
  local function load_parts(fields, texts)
    local count = #fields
    for first = 1, count, AT_ONCE do
      local read = call('HMGET', RING[here], unpack(fields, first, upto(first, count)))
      for place, text in ipairs(read) do texts[fields[first + place - 1]] = text end
    end
  end

  -- Puts entries into the index, and parts what grows by that. What is to be written goes behind what is in the list.
  local function index(hints, ring, written, length)
    local parts, places, texts, missing = ring.parts, {}, {}, {}
    local function place_of(field)
      local place = places[field]
      if not place then
        place, length = length + 2, length + 2
        places[field], written[place - 1], written[place] = place, field, texts[field] or ''
      end
      return place
    end
    for at = 1, #hints, 3 do
      if looked_texts[hints[at + 2]] == nil then missing[#missing + 1] = hints[at] end
    end
    ring.count = ring.count + #hints / 3
    size_ring(ring)
    for address = parts, ring.parts - 1 do missing[#missing + 1] = part_field(address - largest_power(address)) end
    if missing[1] then load_parts(missing, texts) end
    for at = 1, #hints, 3 do
      local field, whose = hints[at], hints[at + 2]
      local place, text = places[field], nil
      if place then
        text = written[place]
      else
        text, place, length = looked_texts[whose] or texts[field] or '', length + 2, length + 2
        places[field], written[place - 1] = place, field
      end
      if #text >= LONG_PART then
        local name, id = names[owners[whose]] or whose[1], ids[whose] or whose[2]
        text = tidied(text, sub(hints[at + 1], 1, 4), name, id)
      end
      written[place] = text .. hints[at + 1]
    end
    for address = parts, ring.parts - 1 do
      local bit = largest_power(address)
      local parent, child = place_of(part_field(address - bit)), place_of(part_field(address))
      written[parent], written[child] = part_by(written[parent], bit)
    end
    return length
  end

  -- Remembers the records (each told by the field of its chunk, and itself but for the end), and puts entries into the index
  -- (each told by the field of its part, itself, and whose it is: the place of an id, or a key and an id).
  function remember(records, hints)
    if dedup_ttl == 0 or not (records[1] or hints[1]) then return end
    local ring = ring_at(here)
    local written, length = {}, 0
    if records[1] then
      local fields, places, count, ending = {}, {}, 0, pack_number('>I6', expiry)
      for at = 1, #records, 2 do
        local field = records[at]
        if not places[field] then
          count = count + 1
          fields[count], places[field] = field, count
        end
      end
      local chunks = call('HMGET', RING[here], unpack(fields))
      for at = 1, #records, 2 do
        local place = places[records[at]]
        chunks[place] = (chunks[place] or '') .. records[at + 1] .. ending
      end
      for place = 1, count do
        written[length + 1], written[length + 2] = fields[place], chunks[place]
        length = length + 2
      end
    end
    if hints[1] then
      length = index(hints, ring, written, length)
      looked_texts = {}
    end
    -- Never shortened: records of another time-to-live may be in it.
    local is_longer = ring.expires < expires
    if is_longer then ring.expires = expires end
    if is_longer or hints[1] then
      written[length + 1], written[length + 2] = '', pack(ring.expires, ring.count, ring.least)
      length = length + 2
    end
    for first = 1, length, AT_ONCE do call('HSET', RING[here], unpack(written, first, upto(first, length))) end
    if is_longer then call('PEXPIREAT', RING[here], format('%.0f', expires)) end
  end
end
