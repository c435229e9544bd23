-- Carries out the requests of a worker to keys of one bucket, each atomically for its key.
--
-- KEYS: K O W M due gap halted, a mailbox for each box, for each look-up a part of each generation
--   (the newest first), a part for each id to remember
-- ARGV: incarnation generations worker call given_time counts limits expiries modes takings marks, then the names of the
--   acquired keys, those of the saved keys, the claims and the records of the saves, the ids to look up, the ids to
--   remember, the boxes, the listings
--   counts(4 each): acquisitions saves boxes look_ups ids generations listings frees
--   limits(7 each): events and bytes of a key, events and bytes of the bucket, dedup_ttl
--   modes: for each acquisition a(sk) h(and over) s(teal); takings: for each save release(1: 0 or 1) taken mail(4)
--   marks: for each id to remember save(4) and whether its part gets its expiry(1); expiries: of the generations(7)
--   claim: fence(7) length(1) worker; record: empty where it stays; listing: save(4) list(1), and a score or nothing
--   box: place(4) slots(4) changes(4) fetches(4), the slots to change (# first), the changes, the slots to fetch
--   change: operation(1) slot(4) to(4), letter or note: n(ew) f(orce) r(eplace) p(ost) d(elete) m(ove)
-- Returns: code now paused heads records statuses mails seen boxes; only code now generations where the code is not 0
--   code: 0 done, 1 state lost, 2 late, 3 other generations
--   head: fence, where nobody had the key; M(yself) D(ied) or O(ther), fence(7), and the old owner without its fence;
--     B worker, where busy; U where there is no memory for another key; nil without a lease
--   status: 0, + 1 released, + 2 wanted, + 4 mail; 8 lost; 16 + limit full; seen: for each look-up 0 or 1
--   box: for each put 0 stored, 1 known, 16 + limit full, or the id in the slot; then the letters that were fetched
-- Values: README.md
-- luacheck: read globals call clock look, ignore 211
local RECORDS, OWNERS, LEASES, META, LISTS, FIXED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], 4, 7
local RELEASED, WANTED, MAIL, LOST, FULL, NO_MEMORY = 1, 2, 4, 8, 16, 3
local CHUNK = 4000 -- values, of some 7,900 that fit on the stack of Lua
local byte, sub, pack, read, char = string.byte, string.sub, struct.pack, struct.unpack, string.char
local me = ARGV[3]
local acquisitions, saves, boxes, look_ups, ids, generations, listings, frees = read('>I4I4I4I4I4I4I4I4', ARGV[6])
local key_events, key_bytes, bucket_events, bucket_bytes, ttl = read('>I7I7I7I7I7', ARGV[7])
local names, keys = 11, acquisitions + saves
local claims, bodies = names + keys, names + keys + saves
local id_args = bodies + saves

local meta = call('HMGET', META, 'incarnation', 'ids', 'paused', 'events', 'bytes', 'call:' .. me)
local micros = clock(ARGV[5])
local now = math.floor(micros / 1000)
local held_events, held_bytes, expires = tonumber(meta[4] or 0), tonumber(meta[5] or 0), {}
for generation = 1, generations do expires[generation] = read('>I7', ARGV[8], 7 * generation - 6) end
if meta[1] ~= ARGV[1] then return { 1, now } end
if tonumber(ARGV[4]) <= tonumber(meta[6] or 0) then return { 2, now } end
if meta[2] ~= ARGV[2] or ids > 0 and now + ttl > expires[1] then return { 3, now, meta[2] } end
-- Without memory, Redis refuses the first write of a script and no other: one that takes none lets the rest through.
if frees == 1 then call('HDEL', META, '') end
call('HSET', META, 'call:' .. me, ARGV[4])

-- One command with values of a list, in pieces.
local function many(command, key, list, first, last)
  if last - first < CHUNK then return last < first and {} or call(command, key, unpack(list, first, last)) end
  local all = {}
  for from = first, last, CHUNK do
    local some = call(command, key, unpack(list, from, math.min(from + CHUNK - 1, last)))
    for _, value in ipairs(type(some) == 'table' and some or {}) do all[#all + 1] = value end
  end
  return all
end

-- Acquisitions
local owners = many('HMGET', OWNERS, ARGV, names + 1, names + keys)
local records = many('HMGET', RECORDS, ARGV, names + 1, names + acquisitions)
local changed, heads = {}, {} -- by place: the new owner, false for none
local states = { [me] = acquisitions > 0 and look(LEASES, me, now) }
local owned_by_me, since = char(#me) .. me, pack('>I7', now)
local usual = pack('>I7', micros) .. owned_by_me .. '\0' .. since
for place = 1, acquisitions do
  local owner, record, mode, state = owners[place], records[place], byte(ARGV[9], place), nil
  local holder = owner and sub(owner, 9, 8 + byte(owner, 8))
  if states[me] ~= 'alive' then
    state = 'none'
  elseif holder == me then
    state = 'M'
  elseif holder then
    states[holder] = states[holder] or look(LEASES, holder, now)
    state = states[holder] == 'dead' and 'D' or (states[holder] == 'gone' or mode == 115) and 'O' or 'B'
  elseif frees == 1 and not record then
    state = 'U'
  end
  if state == 'none' or state == 'U' or state == 'B' then
    heads[place], records[place] = state ~= 'none' and state .. (holder or ''), false
    if state == 'B' and mode == 104 then
      changed[place] = sub(owner, 1, 8 + #holder) .. '\1' .. sub(owner, 10 + #holder)
    end
  else
    local fence = math.max(micros, 1 + (record and read('>I7', record) or 0), 1 + (owner and read('>I7', owner) or 0))
    heads[place], changed[place] = fence, usual
    if owner or fence > micros then
      -- Who asked this worker for the key still wants it. Mail stays until a body accounts for it.
      local wanted, mail = state == 'M' and sub(owner, 9 + #me, 9 + #me) or '\0', owner and sub(owner, 17 + #holder) or ''
      changed[place] = pack('>I7', fence) .. owned_by_me .. wanted .. since .. mail
    end
    if owner then heads[place] = state .. pack('>I7', fence) .. sub(owner, 8) end
  end
end
local statuses, claim_size = {}, 8 + #me
for save = 1, saves do
  local owner = owners[acquisitions + save]
  statuses[save] = owner and sub(owner, 1, claim_size) == ARGV[claims + save] and 0 or LOST
end

-- Mailboxes
local function parts(letter) -- the id, and where the data begins
  local a, b, c, d = byte(letter, 1, 4)
  return sub(letter, 5, 4 + 256 * a + b), 5 + 256 * (a + c) + b + d
end
local function data_size(letter)
  local _, data = parts(letter)
  return #letter + 1 - data
end

-- Makes the changes to a copy of the slots, and then writes what differs. Returns what became of the puts, and the seqs that
-- were posted; or nothing, and which limit has no room.
local function change(box, at, slots, changes)
  local had, has, puts, posted = many('HMGET', box, ARGV, at + 1, at + slots), {}, {}, {}
  local events, bytes, more_events, more_bytes = 0, 0, 0, 0
  if had[1] then events, bytes = read('>I7I7', had[1]) end
  for slot = 2, slots do has[slot] = had[slot] end
  local function is_held(slot) return byte(ARGV[at + slot]) == 104 end
  local function fill(slot, letter)
    local old = has[slot]
    if is_held(slot) then
      more_events = more_events + (letter and 1 or 0) - (old and 1 or 0)
      more_bytes = more_bytes + (letter and data_size(letter) or 0) - (old and data_size(old) or 0)
    end
    has[slot] = letter
  end
  local function full(slot, letter, operation)
    if frees == 1 then return NO_MEMORY end
    if not is_held(slot) or operation == 'f' or operation == 'r' then return nil end
    local size = more_bytes + data_size(letter)
    return events + more_events >= key_events and 0 or bytes + size > key_bytes and 1
      or held_events + more_events >= bucket_events and 2 or held_bytes + size > bucket_bytes and 3
  end
  for number = at + slots + 1, at + slots + 2 * changes, 2 do
    local letter, operation, slot, to = ARGV[number + 1], read('>c1I4I4', ARGV[number])
    local there = has[slot]
    if operation == 'd' then
      fill(slot, false)
    elseif operation == 'm' then
      if there then
        local id, data = parts(there)
        fill(slot, false)
        fill(to, sub(there, 1, 2) .. pack('>I2', #letter) .. id .. letter .. sub(there, data))
      end
    elseif there and operation ~= 'r' then
      local id = parts(there)
      puts[#puts + 1] = id == parts(letter) and 1 or id
    else
      local limit = full(slot, letter, operation)
      if limit and operation ~= 'p' then return nil, limit end
      puts[#puts + 1] = limit and FULL + limit or 0
      if not limit then fill(slot, letter) end
      if not limit and operation == 'p' then posted[#posted + 1] = sub(ARGV[at + slot], 2) end
    end
  end
  held_events, held_bytes = held_events + more_events, held_bytes + more_bytes
  has[1] = events + more_events > 0 and pack('>I7I7', events + more_events, bytes + more_bytes)
  local set, gone = {}, {}
  for slot = 1, slots do
    if has[slot] and has[slot] ~= had[slot] then
      set[#set + 1] = ARGV[at + slot]
      set[#set + 1] = has[slot]
    elseif had[slot] and not has[slot] then
      gone[#gone + 1] = ARGV[at + slot]
    end
  end
  many('HDEL', box, gone, 1, #gone)
  many('HSET', box, set, 1, #set)
  return puts, table.concat(posted)
end

local results, at, old_events, old_bytes = {}, id_args + look_ups + ids, held_events, held_bytes
for box = 1, boxes do
  local place, slots, changes, fetches = read('>I4I4I4I4', ARGV[at + 1])
  local save, name, puts, posted = place - acquisitions, KEYS[FIXED + box], {}
  local is_busy = save <= 0 and sub(heads[place] or '', 1, 1) == 'B'
  if changes > 0 and (is_busy or statuses[save] == 0) then
    puts, posted = change(name, at + 1, slots, changes)
    if not puts then
      statuses[save] = FULL + posted
    elseif posted ~= '' then
      changed[place] = (changed[place] or owners[place]) .. posted
    end
  end
  at = at + 1 + slots + 2 * changes + fetches
  results[box] = { puts or {}, statuses[save] == 0 and many('HMGET', name, ARGV, at - fetches + 1, at) or {} }
end
if held_events ~= old_events or held_bytes ~= old_bytes then
  call('HSET', META, 'events', held_events, 'bytes', held_bytes)
end

-- Remembered ids: first all look-ups, and then what is added.
local seen, part = {}, FIXED + boxes
for number = 1, look_ups do
  seen[number] = '0'
  for generation = 1, generations do
    if expires[generation] > now and call('SISMEMBER', KEYS[part + generation], ARGV[id_args + number]) == 1 then
      seen[number] = '1'
      break
    end
  end
  part = part + generations
end
for number = 1, ids do
  local save, needs_expiry = read('>I4I1', ARGV[11], 5 * number - 4)
  if statuses[save] == 0 then
    call('SADD', KEYS[part + number], ARGV[id_args + look_ups + number])
    if needs_expiry == 1 then call('PEXPIREAT', KEYS[part + number], expires[1]) end
  end
end

for number = at + 1, at + 2 * listings, 2 do
  local save, list = read('>I4I1', ARGV[number])
  local name, score = ARGV[names + acquisitions + save], ARGV[number + 1]
  if statuses[save] == 0 then
    if score == '' then call('ZREM', KEYS[LISTS + list], name) else call('ZADD', KEYS[LISTS + list], score, name) end
  end
end

-- The records and owners of all keys, each with one command
local new_records, new_owners, free, mails, owner_size, count = {}, {}, {}, {}, 16 + #me, 0
for save = 1, saves do
  if statuses[save] == 0 then
    local place, record, status, mail = acquisitions + save, ARGV[bodies + save], 0, ''
    local owner = owners[place]
    if record ~= '' then
      new_records[count + 1], new_records[count + 2], count = ARGV[names + place], record, count + 2
    end
    if #owner > owner_size then
      mail = sub(owner, owner_size + 1 + 8 * read('>I4', ARGV[10], 5 * save - 3))
      changed[place] = sub(owner, 1, owner_size) .. mail
    end
    if mail ~= '' then
      status, mails[#mails + 1] = MAIL, mail
    elseif byte(ARGV[10], 5 * save - 4) == 49 then
      status, changed[place] = RELEASED, false
    end
    statuses[save] = byte(owner, claim_size + 1) == 1 and status + WANTED or status
  end
end
many('HSET', RECORDS, new_records, 1, count)
count = 0
for place = 1, keys do
  if changed[place] then
    new_owners[count + 1], new_owners[count + 2], count = ARGV[names + place], changed[place], count + 2
  elseif changed[place] == false then
    free[#free + 1] = ARGV[names + place]
  end
end
many('HDEL', OWNERS, free, 1, #free)
many('HSET', OWNERS, new_owners, 1, count)
return { 0, now, tonumber(meta[3] or 0), heads, records, statuses, mails, table.concat(seen), results }
