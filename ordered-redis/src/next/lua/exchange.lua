-- Carries out the requests of a worker to keys of one bucket, each key by itself. Validates, then writes.
--
-- KEYS: records owners leases meta due gap halted, a mailbox for each box, for each look-up a part of each generation
--   (the newest first), a part for each id to remember
-- ARGV: incarnation generations worker call given_time counts limits expiries modes takings marks, the names of the
--   acquired keys, the names of the saved keys, the claims of the saves (fence(7)
--   length(1) worker), their records (empty: unchanged), the members to
--   look up, the members to remember, the boxes, the listings (place(4) list(1), score or nothing)
--   counts: acquires saves boxes look_ups members generations listings frees (4 each)
--   limits: events and bytes of a key, events and bytes of the bucket, dedup_ttl (7 each)
--   modes: a letter for each acquisition: a(sk) h(and over) s(teal); takings: for each save 1 to release
--   it, or 0, and how many of its mail are taken(4)
--   marks: for each member to remember: save(4) and whether the expiry of its part is to be set(1)
--   box: place(4) slots(4) changes(4) fetches(4), the slots (first #), the changes, the slots to fetch
--   change: operation(1) slot(4) to(4), then letter or note; n(ew) f(orce) r(eplace) p(ost) d(elete) m(ove)
-- Returns: code now paused heads records statuses mails seen boxes; or code now generations where that is not 0
--   code: 0 done, 1 state lost, 2 late, 3 other generations
--   head: fence, where nobody had the key; state(1) fence(7) and the old owner without its fence; B worker, where busy; nil
--   without a lease; U without memory for a new key
--   status: 0, + 1 released, + 2 wanted, + 4 mail; 8 lost; 16 + limit full. seen: 1 or 0 for each look-up
--   box: what became of each put (0 stored, 1 known, 16 + limit, or the id in the slot), and the fetched letters
--
-- Record: fence(7) body. Owner: fence(7) length(1) worker wanted(1) since(7) mail(8 each). Letter: lengths of id and
-- note(2 each) id note data. Slot # of a mailbox: events(7) bytes(7) held.
-- luacheck: read globals call clock look, ignore 211
local RECORDS, OWNERS, LEASES, META, LISTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], 4
local RELEASED, WANTED, MAIL, LOST, FULL = 1, 2, 4, 8, 16
local CHUNK = 4000 -- values, of some 7,900 that fit on the stack
local byte, sub, pack, read = string.byte, string.sub, struct.pack, struct.unpack
local me, owner_size = ARGV[3], 16 + #ARGV[3]
local acquires, saves, boxes, look_ups, members, generations, listings, frees = read('>I4I4I4I4I4I4I4I4', ARGV[6])
local key_events, key_bytes, bucket_events, bucket_bytes, ttl = read('>I7I7I7I7I7', ARGV[7])

local meta = call('HMGET', META, 'incarnation', 'ids', 'paused', 'events', 'bytes', 'call:' .. me)
local micros = clock(ARGV[5])
local now = math.floor(micros / 1000)
if meta[1] ~= ARGV[1] then return { 1, now } end
if tonumber(ARGV[4]) <= tonumber(meta[6] or 0) then return { 2, now } end
local newest = read('>I7', ARGV[8])
if meta[2] ~= ARGV[2] or members > 0 and now + ttl > newest then return { 3, now, meta[2] } end
local held_events, held_bytes = tonumber(meta[4] or 0), tonumber(meta[5] or 0)
-- Redis refuses memory to the first write of a script only, so one that takes none lets the others through.
if frees == 1 then call('HDEL', META, '') end

local function many(command, key, list, first, last)
  if last - first < CHUNK then return call(command, key, unpack(list, first, last)) end
  local all = {}
  for from = first, last, CHUNK do
    local some = call(command, key, unpack(list, from, math.min(from + CHUNK - 1, last)))
    for _, value in ipairs(type(some) == 'table' and some or {}) do all[#all + 1] = value end
  end
  return all
end

local names = 11
local claims = names + acquires + saves
local bodies = claims + saves
local owners = names < claims and many('HMGET', OWNERS, ARGV, names + 1, claims) or {}
local changed = {} -- by place: the new owner, false for none

-- Acquisitions
local heads, records, states = {}, {}, {}
if acquires > 0 then
  records = many('HMGET', RECORDS, ARGV, names + 1, names + acquires)
  states[me] = look(LEASES, me, now)
end
local granted, since = string.char(#me) .. me, pack('>I7', now)
local usual = pack('>I7', micros) .. granted .. '\0' .. since
for place = 1, states[me] == 'alive' and acquires or 0 do
  local owner, record = owners[place], records[place]
  local holder, state = owner and sub(owner, 9, 8 + byte(owner, 8)), nil
  if holder == me then
    state = 'M'
  elseif holder then
    states[holder] = states[holder] or look(LEASES, holder, now)
    local steal = byte(ARGV[9], place) == 115
    state = states[holder] == 'dead' and 'D' or (states[holder] == 'gone' or steal) and 'O' or 'B'
  end
  if frees == 1 and not (owner or record) then
    heads[place] = 'U'
  elseif state == 'B' then
    heads[place], records[place] = 'B' .. holder, false
    if byte(ARGV[9], place) == 104 then
      changed[place] = sub(owner, 1, 8 + #holder) .. '\1' .. sub(owner, 10 + #holder)
    end
  else
    local last = math.max(record and read('>I7', record) or 0, owner and read('>I7', owner) or 0)
    local fence = math.max(last + 1, micros)
    if owner then
      -- Who asked this worker for the key still wants it.
      local wanted = state == 'M' and sub(owner, 9 + #holder, 9 + #holder) or '\0'
      heads[place] = state .. pack('>I7', fence) .. sub(owner, 8)
      changed[place] = pack('>I7', fence) .. granted .. wanted .. since .. sub(owner, 17 + #holder)
    else
      heads[place] = fence
      changed[place] = fence == micros and usual or pack('>I7', fence) .. granted .. '\0' .. since
    end
  end
end
for place = #heads + 1, acquires do heads[place], records[place] = false, false end

-- Saves, as far as they are judged by the owner
local statuses = {}
for save = 1, saves do
  local owner = owners[acquires + save]
  statuses[save] = owner and sub(owner, 1, owner_size - 8) == ARGV[claims + save] and 0 or LOST
end

-- Mailboxes
local function data_size(letter)
  local a, b, c, d = byte(letter, 1, 4)
  return #letter - 4 - 256 * (a + c) - b - d
end

-- Makes the changes to what is in the slots, and writes what differs. Returns what became of each put and the seqs that were
-- posted; or nothing and the limit that has no room.
local function change(box, at, slots, changes)
  local had, has, puts, posted = many('HMGET', box, ARGV, at + 1, at + slots), {}, {}, {}
  for slot = 2, slots do has[slot] = had[slot] end
  local events, bytes, more_events, more_bytes = 0, 0, 0, 0
  if had[1] then events, bytes = read('>I7I7', had[1]) end
  local function place(slot, letter)
    if byte(ARGV[at + slot]) == 104 then
      if has[slot] then more_events, more_bytes = more_events - 1, more_bytes - data_size(has[slot]) end
      if letter then more_events, more_bytes = more_events + 1, more_bytes + data_size(letter) end
    end
    has[slot] = letter
  end
  local function limit(slot, letter)
    if byte(ARGV[at + slot]) ~= 104 then return end
    local size = more_bytes + data_size(letter)
    return events + more_events >= key_events and 0 or bytes + size > key_bytes and 1
      or held_events + more_events >= bucket_events and 2 or held_bytes + size > bucket_bytes and 3
  end
  for number = 1, changes do
    local operation, slot, to = read('>c1I4I4', ARGV[at + slots + 2 * number - 1])
    local letter, there = ARGV[at + slots + 2 * number], has[slot]
    if operation == 'd' then
      place(slot, false)
    elseif operation == 'm' then
      if there then
        local a, b, c, d = byte(there, 1, 4)
        local id, data = sub(there, 5, 4 + 256 * a + b), sub(there, 5 + 256 * (a + c) + b + d)
        place(slot, false)
        place(to, sub(there, 1, 2) .. pack('>I2', #letter) .. id .. letter .. data)
      end
    elseif there and operation ~= 'r' then
      local a, b = byte(there, 1, 2)
      local id = sub(there, 5, 4 + 256 * a + b)
      a, b = byte(letter, 1, 2)
      puts[#puts + 1] = id == sub(letter, 5, 4 + 256 * a + b) and 1 or id
    else
      local full = (operation == 'n' or operation == 'p') and limit(slot, letter)
      if full and operation == 'n' then return nil, full end
      puts[#puts + 1] = full and FULL + full or 0
      if not full then place(slot, letter) end
      if not full and operation == 'p' then posted[#posted + 1] = sub(ARGV[at + slot], 2) end
    end
  end
  if more_events ~= 0 or more_bytes ~= 0 then
    held_events, held_bytes = held_events + more_events, held_bytes + more_bytes
    has[1] = events + more_events > 0 and pack('>I7I7', events + more_events, bytes + more_bytes)
  else
    has[1] = had[1]
  end
  local set, gone = {}, {}
  for slot = 1, slots do
    local name, letter = ARGV[at + slot], has[slot]
    if letter and letter ~= had[slot] then
      set[#set + 1] = name
      set[#set + 1] = letter
    elseif had[slot] and not letter then
      gone[#gone + 1] = name
    end
  end
  if #gone > 0 then many('HDEL', box, gone, 1, #gone) end
  if #set > 0 then many('HSET', box, set, 1, #set) end
  return puts, table.concat(posted)
end

local results, at = {}, bodies + saves + look_ups + members
for box = 1, boxes do
  local place, slots, changes, fetches = read('>I4I4I4I4', ARGV[at + 1])
  local save, name, puts, posted = place - acquires, KEYS[7 + box], {}, ''
  local is_busy = save <= 0 and heads[place] and byte(heads[place]) == 66
  if slots > 0 and (is_busy or statuses[save] == 0) then
    puts, posted = change(name, at + 1, slots, changes)
    if not puts then
      statuses[save] = FULL + posted
    elseif posted ~= '' then
      changed[place] = (changed[place] or owners[place]) .. posted
    end
  end
  at = at + 1 + slots + 2 * changes + fetches
  local letters = fetches > 0 and statuses[save] == 0 and many('HMGET', name, ARGV, at - fetches + 1, at)
  results[box] = { puts or {}, letters or {} }
end

-- Remembered ids: all look-ups come before what is added.
local seen, part = {}, 7 + boxes
for number = 1, look_ups do
  local member = ARGV[bodies + saves + number]
  seen[number] = '0'
  for generation = 1, generations do
    if read('>I7', ARGV[8], 7 * generation - 6) > now and call('SISMEMBER', KEYS[part + generation], member) == 1 then
      seen[number] = '1'
      break
    end
  end
  part = part + generations
end
for number = 1, members do
  local save, is_new = read('>I4I1', ARGV[11], 5 * number - 4)
  if statuses[save] == 0 then
    call('SADD', KEYS[part + number], ARGV[bodies + saves + look_ups + number])
    if is_new == 1 then call('PEXPIREAT', KEYS[part + number], newest) end
  end
end

-- Indexes
for number = 1, listings do
  local save, list = read('>I4I1', ARGV[at + 2 * number - 1])
  local name, score = ARGV[names + acquires + save], ARGV[at + 2 * number]
  if statuses[save] == 0 then
    if score == '' then call('ZREM', KEYS[LISTS + list], name) else call('ZADD', KEYS[LISTS + list], score, name) end
  end
end

-- The records and owners of all
local set, mails, count = {}, {}, 0
for save = 1, saves do
  if statuses[save] == 0 then
    local place, status, record = acquires + save, 0, ARGV[bodies + save]
    local owner = owners[place]
    if record ~= '' then
      set[count + 1], set[count + 2], count = ARGV[names + place], record, count + 2
    end
    local mail = #owner > owner_size and sub(owner, owner_size + 1 + 8 * read('>I4', ARGV[10], 5 * save - 3)) or ''
    if mail ~= '' then
      status, mails[#mails + 1] = MAIL, mail
    elseif byte(ARGV[10], 5 * save - 4) == 49 then
      status, changed[place] = RELEASED, false
    end
    if status ~= RELEASED and #owner > owner_size + #mail then changed[place] = sub(owner, 1, owner_size) .. mail end
    statuses[save] = byte(owner, owner_size - 7) == 1 and status + WANTED or status
  end
end
if count > 0 then many('HSET', RECORDS, set, 1, count) end
local free, freed = {}, 0
set, count = {}, 0
for place = 1, acquires + saves do
  local owner = changed[place]
  if owner then
    set[count + 1], set[count + 2], count = ARGV[names + place], owner, count + 2
  elseif owner == false then
    freed = freed + 1
    free[freed] = ARGV[names + place]
  end
end
if freed > 0 then many('HDEL', OWNERS, free, 1, freed) end
if count > 0 then many('HSET', OWNERS, set, 1, count) end
call('HSET', META, 'call:' .. me, ARGV[4], 'events', held_events, 'bytes', held_bytes)
return { 0, now, tonumber(meta[3] or 0), heads, records, statuses, mails, table.concat(seen), results }
