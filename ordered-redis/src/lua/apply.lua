-- Applies a batch of commands to the keys of one bucket, in order, each as protocol/decide.rs says.
--
-- KEYS: k c h p q e w m due d0 d1 d2 d3 d4
-- ARGV: situation commands payload...
-- Returns: the verdicts one after the other, each its code and what belongs to it, all in one flat list.
--
--   k    hash   key → "last_seq fence [attempts phase due held_count held_bytes troubled]", see codec.lua
--   c    hash   key → the claim, packed: worker, since, the ids granted; only while a worker has the key
--   h    hash   "<seq>:<key>" → "since size id" of a held event
--   p    hash   "<seq>:<key>" → its payload
--   q    zset   "<length of key>:<key><seq in 16 digits>": the held events of a key in order, for inspection
--   e    hash   key → why its head is not done, packed: error, first time, last time, worker
--   w    hash   worker → until when its claims are good
--   m    hash   the bucket's totals of held events and bytes
--   due  zset   keys that nobody has, whose head is held and not halted; score: from when it may run
--   d0…4 hash   the committed events that are remembered, see done.lua
--
-- It reads what the batch touches with a few variadic commands, decides on what it read, then writes with a few
-- variadic commands: the number of commands does not grow with the batch where events come in order.

local OFFER, HOLD, COMMIT, RETRY, POSTPONE, HALT, RELEASE, CLAIM = 1, 2, 3, 4, 5, 6, 7, 8

-- Read: the held events that a command is likely to look at (its own, the head, and the first that it may hand out),
-- then the ids and, for what lies in the past, the seqs that are remembered. What turns out to be missing is read when
-- it is asked for.
local known = {} -- for each offer and hold, the field of its id among what is remembered
local takes_in = false
do
  local fields, seqs, nexts, ids = {}, {}, {}, {}
  for place, command in ipairs(commands) do
    local op, key, seq = command[1], keys[command[2]], command[3]
    if op <= HOLD then
      takes_in = true
      known[place] = want_done_id(key.name, command[4], ids)
    end
    if key.was_held > 0 then
      if op < RELEASE then want_held(key, seq, fields, seqs) end
      if op > OFFER then want_held(key, key.last + 1, fields, seqs) end
      if op == COMMIT or op == CLAIM then
        local next_seq = op == CLAIM and key.last + 1 or min(max(command[6], seq) + 1, MAX_SEQ)
        want_held(key, next_seq, fields, seqs)
        nexts[#nexts + 1], nexts[#nexts + 2] = held_field(key.name, next_seq), key.name
      end
    end
  end
  load_held(fields, seqs)
  for place = 1, #nexts, 2 do
    local entry = held_entries[nexts[place]]
    if entry then want_done_id(nexts[place + 1], entry.id, ids) end
  end
  load_done_ids(ids)
  local pasts = {}
  for place, field in pairs(known) do
    local name, seq = commands[place][2], commands[place][3]
    if seq <= keys[name].last and not is_repeat(field) then pasts[#pasts + 1] = seq_field(name, seq) end
  end
  load_done_seqs(pasts)
end

-- Decide. Verdicts go to one flat list; payloads that have to be read come in afterwards, all together.
local answer, length = {}, 0
do
  local missing, missing_at = {}, {}
  for place, command in ipairs(commands) do
    local op, key, seq, id = command[1], keys[command[2]], command[3], command[4]
    local verdict
    if op == OFFER then
      verdict = offer(key, seq, id, known[place])
    elseif op == COMMIT then
      verdict = commit(key, seq, id, command[5], command[6])
    elseif op == HOLD then
      verdict = offer(key, seq, id, known[place], command[5], ARGV[command[6] + 2])
    elseif op == RETRY then
      verdict = retry(key, seq, id, command[5], command[6], command[7])
    elseif op == POSTPONE then
      verdict = postpone(key, seq, id, command[5], command[6], command[7], command[8], ARGV[command[9] + 2], command[10])
    elseif op == HALT then
      verdict = halt(key, seq, id, command[5], command[6], command[7], command[8], ARGV[command[9] + 2])
    elseif op == RELEASE then
      verdict = release(key, command[3])
    else
      verdict = claim(key)
    end
    for part, value in ipairs(verdict) do answer[length + part] = value end
    length = length + #verdict
    local found = verdict.next
    if found then
      local ids, repeats = {}, {}
      for part, entry in ipairs(found) do repeats[part] = want_done_id(key.name, entry.id, ids) end
      load_done_ids(ids)
      answer[length + 1] = #found
      length = length + 1
      for part, entry in ipairs(found) do
        answer[length + 1], answer[length + 2] = entry.seq, entry.id
        answer[length + 3], answer[length + 4] = is_repeat(repeats[part]) and 1 or 0, entry.payload or ''
        length = length + 4
        if not entry.payload then
          missing[#missing + 1], missing_at[#missing_at + 1] = held_field(key.name, entry.seq), length
        end
      end
    end
  end
  for place, payload in ipairs(fetch(PAYLOADS, missing)) do answer[missing_at[place]] = payload or '' end
end

-- Collect what has changed.
local add = { states = {}, claims = {}, payloads = {}, metas = {}, order = {}, troubles = {}, due = {}, later = {} }
local drop = { claims = {}, fields = {}, order = {}, troubles = {}, due = {} }

for _, change in ipairs(held_changes) do
  local field, name, seq, was_stored = change[1], change[2], change[3], change[4]
  local entry = held_entries[field]
  if entry then
    add.payloads[#add.payloads + 1], add.payloads[#add.payloads + 2] = field, entry.payload
    add.metas[#add.metas + 1], add.metas[#add.metas + 2] = field, pack_meta(entry)
    add.order[#add.order + 1], add.order[#add.order + 2] = '0', order_member(name, seq)
  elseif was_stored then
    drop.fields[#drop.fields + 1] = field
    drop.order[#drop.order + 1] = order_member(name, seq)
  end
end

for _, name in ipairs(names) do
  local key = keys[name]
  local text = pack_state(key)
  local changed = text ~= key.text
  if changed then
    local states = add.states
    states[#states + 1], states[#states + 2] = name, text
  end
  if key.claim_changed and key.worker then
    local claims, packed = add.claims, { key.worker, key.since }
    for place, id in ipairs(key.granted) do packed[place + 2] = id end
    claims[#claims + 1], claims[#claims + 2] = name, cmsgpack.pack(packed)
  elseif key.claim_changed and key.was_claimed then
    drop.claims[#drop.claims + 1] = name
  end
  if key.trouble then
    add.troubles[#add.troubles + 1], add.troubles[#add.troubles + 2] = name, cmsgpack.pack(key.trouble)
  elseif key.was_troubled and not key.troubled then
    drop.troubles[#drop.troubles + 1] = name
  end
  -- A key is due while nobody has it, its head is held and it is not halted.
  if (changed or key.claim_changed) and (key.count > 0 or key.was_held > 0) then
    local waits = not key.worker and key.phase ~= PHASE.HALTED and held_at(key, key.last + 1)
    if waits and key.phase == PHASE.BACKING_OFF then
      add.later[#add.later + 1], add.later[#add.later + 2] = digits(key.due), name
    elseif waits then
      add.due[#add.due + 1], add.due[#add.due + 2] = digits(now), name
    elseif not key.was_claimed and key.was_held > 0 then
      drop.due[#drop.due + 1] = name
    end
  end
end

-- Write. A server that is out of memory refuses the first write of a script if that write may take memory, and lets
-- all others pass (deny-oom, `scriptVerifyOOM` in src/script.c). So a batch that takes anything in begins with such a
-- write, and is refused whole; one that only settles what is at work begins with a removal, of nothing if need be, and
-- goes through: what is held drains, and its memory is freed.
if not takes_in then call('HDEL', CLAIMS, '') end
send('HSET', PAYLOADS, add.payloads)
send('HSET', STATES, add.states)
send('HDEL', CLAIMS, drop.claims)
send('HSET', CLAIMS, add.claims)
if #held_changes > 0 then
  send('HDEL', HELD, drop.fields)
  send('HDEL', PAYLOADS, drop.fields)
  send('ZREM', ORDER, drop.order)
  send('HSET', HELD, add.metas)
  send('ZADD', ORDER, add.order)
  call('HSET', TOTALS, 'events', digits(totals.events), 'bytes', digits(totals.bytes))
end
send('HDEL', TROUBLES, drop.troubles)
send('HSET', TROUBLES, add.troubles)
send('ZREM', DUE, drop.due)
send('ZADD', DUE, add.later)
-- A key that was due already keeps its place in the line.
for first = 1, #add.due, CHUNK do
  call('ZADD', DUE, 'NX', unpack(add.due, first, min(first + CHUNK - 1, #add.due)))
end

-- The hash of the ring lives until the youngest record that it can take is over. That is before its next turn, since
-- four quarters, rounded up, are no less than the time-to-live. Never shortened: records of another time-to-live may
-- be in it.
if #records > 0 then
  local width = max(1, math.ceil(dedup_ttl / 4))
  local turn = floor(now / width)
  local slot, expires = RING[turn % 5 + 1], (turn + 1) * width - 1 + dedup_ttl
  local before = call('HGET', slot, 'x')
  send('HSET', slot, records)
  if not before or tonumber(before) < expires then
    call('HSET', slot, 'x', digits(expires))
    call('PEXPIREAT', slot, digits(expires))
  end
end
return answer
