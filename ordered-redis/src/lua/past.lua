-- Part of apply: what is remembered of the events that what is left asks for. Of a key that is `done_ids`: by id until when, false
-- where it is not remembered; and of the present numbering `done_seqs`: by seq the body of the id that is remembered. Of what lay
-- below the key's last seq when the batch began they have what is asked for; what came on top since they have anyway.
local want_done_id, load_done_ids, load_done_seqs, is_repeat, note_done, hint
local records, hints = {}, {}

do
  local CHUNK, FAR = 8, 2 ^ 31

  -- The number of the chunk and the place in it, see done.lua. Where the number does not say both numbering and seq, several
  -- share a chunk, and the place says it.
  local function place_in_ring(key, seq)
    local place, epoch = seq % CHUNK, key.epoch
    local chunk = (seq - place) / CHUNK
    if epoch == 0 and chunk < FAR then return chunk, place end
    return FAR + (chunk + epoch % FAR * 65537) % FAR, pack_number('>I7I7', epoch, seq)
  end

  local function chunk_field(chunk, name)
    return digits(chunk) .. ':' .. name
  end

  local function number_of(id)
    local first, second, third, fourth = byte(id, 1, 4)
    return first + 256 * (second + 256 * (third + 256 * fourth))
  end

  function want_done_id(key, id, wanted)
    if key.done_ids[id] == nil then
      key.done_ids[id] = false
      wanted[#wanted + 1] = { key, id }
    end
  end

  function load_done_ids(wanted)
    if not wanted[1] then return end
    local ids, owners, numbers, prints = {}, {}, {}, {}
    for place, want in ipairs(wanted) do
      owners[place], ids[place] = want[1].name, want[2]
      numbers[place], prints[place] = number_of(want[2]), sub(want[2], 1, 4)
    end
    for place, until_when in ipairs(done_until(ids, owners, numbers, prints, #wanted)) do
      wanted[place][1].done_ids[wanted[place][2]] = until_when
    end
  end

  function load_done_seqs(wanted)
    if not wanted[1] then return end
    local fields, until_when = {}, {}
    for place, want in ipairs(wanted) do fields[place] = chunk_field(place_in_ring(want[1], want[2]), want[1].name) end
    for _, slot in ipairs(RING) do
      for place, chunk in ipairs(fetch(slot, fields)) do
        local key, seq = wanted[place][1], wanted[place][2]
        local _, ours = place_in_ring(key, seq)
        local at = 1
        while chunk and at <= #chunk do
          local next_at, other, body, expires = read_record(chunk, at)
          if other == ours and expires >= (until_when[place] or now + 1) then
            key.done_seqs[seq], until_when[place] = body, expires
          end
          at = next_at
        end
      end
    end
  end

  function is_repeat(key, id)
    if key.done_ids[id] == nil then load_done_ids({ { key, id } }) end
    local until_when = key.done_ids[id]
    return until_when and until_when > now
  end

  function note_done(key, seq, id)
    local body, count = sub(id, 5), #records
    key.done_ids[id], key.done_seqs[seq] = expiry, dedup_ttl > 0 and body or nil
    local chunk, told = place_in_ring(key, seq)
    local head, length = seq % CHUNK, ''
    if told == head then told = '' else head = head + 32 end
    if #body ~= 16 then head, length = head + 16, pack_number('>I2', #body) end
    records[count + 1], records[count + 2] = chunk_field(chunk, key.name), char(head) .. told .. length .. body
    if sub(key.granted[2], 17) ~= ring_tag then hint(key, seq, id) end
  end

  -- Puts the event into the index, before or after it is done.
  function hint(key, seq, id)
    if dedup_ttl == 0 then return end
    local count, chunk = #hints, place_in_ring(key, seq)
    hints[count + 1], hints[count + 2] = part_of(number_of(id)), sub(id, 1, 4) .. pack_number('>I4', chunk)
    hints[count + 3] = { key.name, id }
  end
end
