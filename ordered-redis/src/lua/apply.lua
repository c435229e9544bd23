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

-- The held events that a command is likely to look at.
local function want_for(command, key, fields, seqs)
  local op, seq = command[1], command[3]
  if op == OFFER or op == HOLD or op == POSTPONE or op == HALT then want_held(key, seq, fields, seqs) end
  if op == COMMIT then
    want_held(key, seq, fields, seqs)
    local first = max(command[6], seq) + 1
    for next_seq = first, min(first + next_events - 1, seq + lane_depth, MAX_SEQ) do
      want_held(key, next_seq, fields, seqs)
    end
  elseif op == CLAIM then
    for next_seq = key.last + 1, min(key.last + next_events, key.last + lane_depth, MAX_SEQ) do
      want_held(key, next_seq, fields, seqs)
    end
  end
  if op ~= OFFER then want_held(key, key.last + 1, fields, seqs) end
end

local function load_batch()
  load_keys()
  local fields, seqs, ids = {}, {}, {}
  for _, command in ipairs(commands) do
    local key = keys[command[2]]
    if key.was_held > 0 then want_for(command, key, fields, seqs) end
    if command[1] <= HOLD then want_done_id(key.name, command[4], ids) end
  end
  load_held(fields, seqs)
  for place, field in ipairs(fields) do
    local entry = held_entries[field]
    if entry then want_done_id(string.sub(field, #digits(seqs[place]) + 2), entry.id, ids) end
  end
  load_done_ids(ids)
  local pasts = {}
  for _, command in ipairs(commands) do
    if command[1] <= HOLD then
      local key, seq = keys[command[2]], command[3]
      if seq <= key.last and not is_repeat(key, command[4]) then pasts[#pasts + 1] = seq_field(key.name, seq) end
    end
  end
  load_done_seqs(pasts)
end

local function payload(place)
  return ARGV[place + 2]
end

local function decide(command)
  local op, key = command[1], keys[command[2]]
  if op == RELEASE then return release(key, command[3]) end
  if op == CLAIM then return claim(key) end
  local seq, id = command[3], command[4]
  if op == OFFER then return offer(key, seq, id) end
  if op == HOLD then return offer(key, seq, id, command[5], payload(command[6])) end
  local fence, number, message = command[5], command[6], command[7]
  if op == COMMIT then return commit(key, seq, id, fence, number) end
  if op == RETRY then return retry(key, seq, id, fence, number, message) end
  local size, body = command[8], payload(command[9])
  if op == POSTPONE then return postpone(key, seq, id, fence, number, message, size, body, command[10]) end
  return halt(key, seq, id, fence, number, message, size, body)
end

local answer, length = {}, 0
local missing, missing_at = {}, {}

local function push(value)
  length = length + 1
  answer[length] = value
end

-- Writes a verdict down. Payloads that have to be read come later, all together.
local function report(verdict)
  for _, value in ipairs(verdict) do push(value) end
  if not verdict.next then return end
  push(#verdict.next)
  for _, entry in ipairs(verdict.next) do
    push(entry.seq)
    push(entry.id)
    push(is_repeat(verdict.key, entry.id) and 1 or 0)
    push(entry.payload or '')
    if not entry.payload then
      missing[#missing + 1] = held_field(verdict.key.name, entry.seq)
      missing_at[#missing_at + 1] = length
    end
  end
end

local function fill_payloads()
  for place, body in ipairs(fetch(PAYLOADS, missing)) do answer[missing_at[place]] = body or '' end
end

local function collect_held(add, drop)
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
end

-- A key is due while nobody has it, its head is held and it is not halted.
local function collect_due(key, add, drop)
  if key.count == 0 and key.was_held == 0 then return end
  local waits = not key.worker and key.phase ~= HALTED and held_at(key, key.last + 1)
  if waits and key.phase == BACKING_OFF then
    add.later[#add.later + 1], add.later[#add.later + 2] = digits(key.due), key.name
  elseif waits then
    add.due[#add.due + 1], add.due[#add.due + 2] = digits(now), key.name
  elseif not key.was_claimed and key.was_held > 0 then
    drop.due[#drop.due + 1] = key.name
  end
end

local function collect_keys(add, drop)
  for _, name in ipairs(names) do
    local key = keys[name]
    local text = pack_state(key)
    local changed = text ~= key.text
    if changed then add.states[#add.states + 1], add.states[#add.states + 2] = name, text end
    if key.claim_changed and key.worker then
      local claim = { key.worker, key.since }
      for place, id in ipairs(key.granted) do claim[place + 2] = id end
      add.claims[#add.claims + 1], add.claims[#add.claims + 2] = name, cmsgpack.pack(claim)
    elseif key.claim_changed and key.was_claimed then
      drop.claims[#drop.claims + 1] = name
    end
    if key.trouble then
      add.troubles[#add.troubles + 1], add.troubles[#add.troubles + 2] = name, cmsgpack.pack(key.trouble)
    elseif key.was_troubled and not key.troubled then
      drop.troubles[#drop.troubles + 1] = name
    end
    if changed or key.claim_changed then collect_due(key, add, drop) end
  end
end

-- A server that is out of memory refuses the first write of a script if that write takes memory, and lets the others
-- pass. So what is to be held comes first and is refused whole; a batch that holds nothing more begins with what it
-- frees, and goes through.
local function save_batch()
  local add = { states = {}, claims = {}, payloads = {}, metas = {}, order = {}, troubles = {}, due = {}, later = {} }
  local drop = { claims = {}, fields = {}, order = {}, troubles = {}, due = {} }
  collect_held(add, drop)
  send('HSET', PAYLOADS, add.payloads)
  collect_keys(add, drop)
  send('HDEL', CLAIMS, drop.claims)
  send('HDEL', HELD, drop.fields)
  send('HDEL', PAYLOADS, drop.fields)
  send('ZREM', ORDER, drop.order)
  send('HDEL', TROUBLES, drop.troubles)
  send('ZREM', DUE, drop.due)
  send('HSET', STATES, add.states)
  send('HSET', CLAIMS, add.claims)
  send('HSET', HELD, add.metas)
  send('ZADD', ORDER, add.order)
  send('HSET', TROUBLES, add.troubles)
  send('ZADD', DUE, add.later)
  -- A key that was due already keeps its place in the line.
  for first = 1, #add.due, CHUNK do
    call('ZADD', DUE, 'NX', unpack(add.due, first, min(first + CHUNK - 1, #add.due)))
  end
  if #held_changes > 0 then
    call('HSET', TOTALS, 'events', digits(totals.events), 'bytes', digits(totals.bytes))
  end
  save_done()
end

load_batch()
for _, command in ipairs(commands) do report(decide(command)) end
fill_payloads()
save_batch()
return answer
