-- Carries out the requests of a worker to keys of one bucket. Each is atomic for its key.
-- KEYS: K O W M due gap halted, the mailboxes, for each look-up its part in each generation, for each new id its part
-- ARGV: incarnation ids worker call given_time numbers modes takings marks, then the names of the acquired keys and of
--   the saved ones, the claims, the records, the look-ups, the new ids, the boxes, the listings
-- Returns: code now paused heads records statuses mails seen boxes; only code now ids where the code is not 0
-- `src/store/wire.rs` says what these are.
local RELEASED, WANTED, MAIL, LOST, FULL, NO_MEMORY = 1, 2, 4, 8, 16, 3
local HAND_OVER, STEAL, HELD, YES = 104, 115, 104, 49 -- bytes: h s h 1
local CHUNK = 4000 -- values, of some 7,900 that fit on the stack of Lua
local KEYS, ARGV, byte, sub, max = KEYS, ARGV, string.byte, string.sub, math.max
local RECORDS, OWNERS, LEASES, META, LISTS, FIXED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], 4, 7
local me, modes, takings, marks = ARGV[3], ARGV[7], ARGV[8], ARGV[9]
local acquisitions, saves, boxes, look_ups, ids, generations, listings, frees, key_events, key_bytes, bucket_events,
  bucket_bytes, closes, expires = read('>I4I4I4I4I4I4I4I4I7I7I7I7I7I7', ARGV[6])
local keys = acquisitions + saves
local names, claims, bodies, id_args = 9, 9 + keys, 9 + keys + saves, 9 + keys + 2 * saves
local meta = call('HMGET', META, 'incarnation', 'ids', 'paused', 'call:' .. me, 'events', 'bytes')
local micros = clock(ARGV[5])
local now, held_events, held_bytes = math.floor(micros / 1000), tonumber(meta[5] or 0), tonumber(meta[6] or 0)
if meta[1] ~= ARGV[1] then return { 1, now } end
if tonumber(ARGV[4]) <= tonumber(meta[4] or 0) then return { 2, now } end
if meta[2] ~= ARGV[2] or ids > 0 and now > closes then return { 3, now, meta[2] } end
-- Without memory, Redis refuses the first write of a script and no other: one that takes none lets the rest through.
if frees == 1 then call('HDEL', META, '') end
call('HSET', META, 'call:' .. me, ARGV[4])
local function add(list, name, value) list[#list + 1], list[#list + 2] = name, value end
-- One command with values of a list, in pieces.
local function many(command, key, list, first, last)
  if last < first then return {} end
  if last - first < CHUNK then return call(command, key, unpack(list, first, last)) end
  local some = call(command, key, unpack(list, first, first + CHUNK - 1))
  local more = many(command, key, list, first + CHUNK, last)
  for at = 1, type(more) == 'table' and #more or 0 do some[CHUNK + at] = more[at] end
  return some
end

-- Acquisitions
local owners = many('HMGET', OWNERS, ARGV, names + 1, names + keys)
local records = many('HMGET', RECORDS, ARGV, names + 1, names + acquisitions)
local changed, heads, states = {}, {}, { [me] = acquisitions > 0 and look(LEASES, me, now) } -- changed: false for free
local owned_by_me, since = string.char(#me) .. me, pack('>I7', now)
local usual = pack('>I7', micros) .. owned_by_me .. '\0' .. since
for place = 1, acquisitions do
  local owner, record, mode = owners[place], records[place], byte(modes, place)
  local fence = record and max(micros, 1 + read('>I7', record)) or micros
  if states[me] ~= 'alive' then
    heads[place], records[place] = false, false
  elseif not owner and (record or frees == 0) then
    heads[place] = fence
    changed[place] = fence == micros and usual or pack('>I7', fence) .. owned_by_me .. '\0' .. since
  elseif not owner then
    heads[place] = 'U'
  else
    local holder = sub(owner, 9, 8 + byte(owner, 8))
    states[holder] = states[holder] or look(LEASES, holder, now)
    local is_free = states[holder] == 'gone' or mode == STEAL
    local state = holder == me and 'M' or states[holder] == 'dead' and 'D' or is_free and 'O' or 'B'
    if state == 'B' then
      heads[place], records[place] = 'B' .. holder, false
      if mode == HAND_OVER then changed[place] = sub(owner, 1, 8 + #holder) .. '\1' .. sub(owner, 10 + #holder) end
    else
      -- Who asked this worker for the key still wants it. Mail stays until a body accounts for it.
      local wanted, new = state == 'M' and sub(owner, 9 + #me, 9 + #me) or '\0', max(fence, 1 + read('>I7', owner))
      heads[place] = state .. pack('>I7', new) .. sub(owner, 8)
      changed[place] = pack('>I7', new) .. owned_by_me .. wanted .. since .. sub(owner, 17 + #holder)
    end
  end
end
local statuses, claim_size = {}, 8 + #me
for save = 1, saves do
  statuses[save] = sub(owners[acquisitions + save] or '', 1, claim_size) == ARGV[claims + save] and 0 or LOST
end

local results, at = {}, id_args + look_ups + ids
-- Changes a mailbox. Returns what happened to the puts, and the seqs that were posted; or no puts, and which limit is
-- full.
local function change(box, slots, changes)
  local has, dirty, puts, posted = many('HMGET', box, ARGV, at + 1, at + slots), {}, {}, ''
  local events, bytes, more_events, more_bytes, set, gone = 0, 0, 0, 0, {}, {}
  if has[1] then events, bytes = read('>I7I7', has[1]) end
  local function size(letter) return letter and #letter + 1 - select(3, read('>I2c0I2c0', letter)) or 0 end
  local function fill(slot, letter)
    if byte(ARGV[at + slot]) == HELD then
      more_events = more_events + (letter and 1 or 0) - (has[slot] and 1 or 0)
      more_bytes = more_bytes + size(letter) - size(has[slot])
    end
    has[slot], dirty[slot] = letter, true
  end
  for number = at + slots + 1, at + slots + 2 * changes, 2 do
    local letter, operation, slot, to = ARGV[number + 1], read('>c1I4I4', ARGV[number])
    local there = has[slot]
    if operation == 'd' or operation == 'm' then
      fill(slot, false)
      if there and operation == 'm' then fill(to, letter .. sub(there, select(2, read('>I2c0', there)))) end
    elseif there and operation ~= 'r' then
      local _, id = read('>I2c0I2c0', there)
      puts[#puts + 1] = id == select(2, read('>I2c0I2c0', letter)) and 1 or id
    else
      local limit, all = frees == 1 and NO_MEMORY, more_bytes + size(letter)
      if not limit and byte(ARGV[at + slot]) == HELD and (operation == 'n' or operation == 'p') then
        limit = events + more_events >= key_events and 0 or bytes + all > key_bytes and 1
          or held_events + more_events >= bucket_events and 2 or held_bytes + all > bucket_bytes and 3
      end
      if limit and operation ~= 'p' then return nil, limit end
      puts[#puts + 1] = limit and FULL + limit or 0
      if not limit then fill(slot, letter) end
      if not limit and operation == 'p' then posted = posted .. sub(ARGV[at + slot], 2) end
    end
  end
  if more_events ~= 0 or more_bytes ~= 0 then
    held_events, held_bytes = held_events + more_events, held_bytes + more_bytes
    fill(1, events + more_events > 0 and pack('>I7I7', events + more_events, bytes + more_bytes))
  end
  for slot in pairs(dirty) do add(has[slot] and set or gone, ARGV[at + slot], has[slot] or nil) end
  many('HDEL', box, gone, 1, #gone)
  many('HSET', box, set, 1, #set)
  return puts, posted
end
for box = 1, boxes do
  local place, slots, changes, fetches = read('>I4I4I4I4', ARGV[at + 1])
  local save, name, puts, letters, posted = place - acquisitions, KEYS[FIXED + box], {}, {}
  at = at + 1
  if changes > 0 and (statuses[save] == 0 or sub(heads[place] or '', 1, 1) == 'B') then
    puts, posted = change(name, slots, changes)
    if not puts then statuses[save] = FULL + posted end
    if puts and posted ~= '' then changed[place] = (changed[place] or owners[place]) .. posted end
  end
  at = at + slots + 2 * changes + fetches
  if statuses[save] == 0 then letters = many('HMGET', name, ARGV, at - fetches + 1, at) end
  results[box] = { puts or {}, letters }
end
if boxes > 0 then call('HSET', META, 'events', held_events, 'bytes', held_bytes) end

-- Remembered ids: first all look-ups, and then what is added
local seen, part = {}, FIXED + boxes
for number = 1, look_ups do
  seen[number] = 0
  for _ = 1, generations do
    part = part + 1
    if seen[number] == 0 then seen[number] = call('SISMEMBER', KEYS[part], ARGV[id_args + number]) end
  end
end
for number = 1, ids do
  local save, needs_expiry = read('>I4I1', marks, 5 * number - 4)
  if statuses[save] == 0 then
    call('SADD', KEYS[part + number], ARGV[id_args + look_ups + number])
    if needs_expiry == 1 then call('PEXPIREAT', KEYS[part + number], expires) end
  end
end

local listed, unlisted = { {}, {}, {} }, { {}, {}, {} }
for number = at + 1, at + 2 * listings, 2 do
  local save, list = read('>I4I1', ARGV[number])
  local name, score = ARGV[names + acquisitions + save], ARGV[number + 1]
  if statuses[save] == 0 and score == '' then add(unlisted[list], name) end
  if statuses[save] == 0 and score ~= '' then add(listed[list], score, name) end
end
for list = 1, 3 do
  many('ZREM', KEYS[LISTS + list], unlisted[list], 1, #unlisted[list])
  many('ZADD', KEYS[LISTS + list], listed[list], 1, #listed[list])
end

-- The records and owners of all keys, each with one command
local new_records, new_owners, free, mails, owner_size = {}, {}, {}, {}, 16 + #me
for place = acquisitions + 1, keys do
  local save, owner, mail = place - acquisitions, owners[place], ''
  if statuses[save] == 0 then
    local record, status = ARGV[bodies + save], byte(owner, claim_size + 1) == 1 and WANTED or 0
    if record ~= '' then add(new_records, ARGV[names + place], record) end
    if #owner > owner_size then
      mail = sub(owner, owner_size + 1 + 8 * read('>I4', takings, 5 * save - 3))
      changed[place] = sub(owner, 1, owner_size) .. mail
    end
    if mail ~= '' then
      status, mails[#mails + 1] = status + MAIL, mail
    elseif byte(takings, 5 * save - 4) == YES then
      status, changed[place] = status + RELEASED, false
    end
    statuses[save] = status
  end
end
for place, owner in pairs(changed) do add(owner and new_owners or free, ARGV[names + place], owner or nil) end
many('HSET', RECORDS, new_records, 1, #new_records)
many('HDEL', OWNERS, free, 1, #free)
many('HSET', OWNERS, new_owners, 1, #new_owners)
return { 0, now, tonumber(meta[3] or 0), heads, records, statuses, mails, table.concat(seen), results }
