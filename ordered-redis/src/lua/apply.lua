-- Applies a batch of commands to the keys of one bucket, in order, each as protocol/decide of ordered-core says.
--
-- KEYS: k c h p q e w m due d0 d1 d2 a late x xq g halt n log s
-- ARGV: situation names ids commands payload...
-- Returns: the verdicts one after the other, each its code and what belongs to it, all in one flat list; the code OVERTAKEN
-- alone for a call that came too late.
--
--   k    hash   key → its state as numbers, see codec.lua; what all others say of a key is said here to be there
--   c    hash   key → the claim, packed: worker, since, and seq and id of each event granted; only while a worker has it
--   h    hash   "<seq>:<key>" → "since size id" of a held event
--   p    hash   "<seq>:<key>" → its payload
--   q    zset   "<length of key>:<key><seq in 16 digits>": the held events of a key in order
--   e    hash   key → why its head is not done, packed: error, first time, last time, worker
--   w    hash   worker → until when its claims are good
--   m    hash   the bucket's totals of held events and bytes, and whether the group is paused
--   due  zset   keys that nobody has, of which something may run; score: from when
--   d0…2 hash   the committed events that are remembered, see done.lua
--   a    hash   key → the ranges ahead of it that will never come, packed
--   late hash   key → the ranges that it passed over, packed, each with until when that is remembered
--   x    hash   "m<epoch>:<seq>:<key>" → an event that was put aside, packed; "p…" → its payload
--   xq   zset   "d<length of key>:<key><epoch><seq>", each in 16 digits: those events in order; "r…": those to replay
--   g    zset   keys that wait for an event that has not come; score: since when
--   halt zset   keys that are halted; score: since when
--   log  stream what operators did, see audit.lua
--   n    set    keys that hold events, stand still or have events aside
--   s    hash   worker → the last call of it that was carried out, packed: run, number; see request.lua
--
-- It reads what the batch touches with a few variadic commands, decides on what it read, then writes with a few
-- variadic commands: the number of commands does not grow with the batch where events come in order. What is plain was
-- decided before (plain.lua); what stands here is about the rest of the batch.

local OP = {
  OFFER = OFFER, HOLD = HOLD, COMMIT = COMMIT, RETRY = 4, POSTPONE = 5, HALT = 6, RELEASE = 7, CLAIM = 8, DEAD_LETTER = 9, FILL = 10,
  RESET = 11, OPERATE = 12,
}

-- The held events that a command is likely to look at, and those that it is likely to hand back. As many as are held may follow
-- one another, and no more.
local function want_for(command, key, fields, seqs, handed)
  local op, seq = command[1], command[3]
  local is_commit = op == OP.COMMIT or op == OP.DEAD_LETTER
  want_held(key, key.last + 1, fields, seqs)
  if op <= OP.HOLD or is_commit or op == OP.POSTPONE or op == OP.HALT then want_held(key, seq, fields, seqs) end
  if not is_commit and op ~= OP.CLAIM then return end
  local first, last = key.last + 1, key.last + policy.lane_depth
  if is_commit then
    local have = op == OP.COMMIT and command[6] or command[10]
    first, last = max(min(have, last), seq) + 1, seq + policy.lane_depth
  end
  for next_seq = first, min(first + min(policy.next_events, key.was.count) - 1, last, MAX_SEQ) do
    handed[#handed + 1] = want_held(key, next_seq, fields, seqs)
  end
end

-- One of those that are left, without what stands for nothing.
local HAS_EVENT = { true, true, true, true, true, true, false, false, true }
local function command_at(at)
  local op = asked[at]
  local command = { op, names[asked[at + 1]] }
  for place = 2, WIDTH[op] - 1 do
    local value = asked[at + place]
    if value ~= -1 then command[place + 1] = value end
  end
  if HAS_EVENT[op] then command[4] = ids[command[4]] end
  return command
end

local function load_left(commands)
  load_keys()
  local fields, seqs, handed, wanted = {}, {}, {}, {}
  for _, command in ipairs(commands) do
    local key = keys[command[2]]
    if key.was.count > 0 then want_for(command, key, fields, seqs, handed) end
  end
  load_held(fields, seqs)
  for _, field in ipairs(handed) do
    local entry = held_entries[field]
    if entry then want_done_id(entry.name, entry.id, wanted) end
  end
  load_done_ids(wanted)
  local pasts = {}
  for _, command in ipairs(commands) do
    if command[1] <= OP.HOLD then
      local key, seq = keys[command[2]], command[3]
      if seq <= key.last and not is_repeat(key, command[4]) then
        pasts[#pasts + 1] = { key, seq }
      end
    end
  end
  load_done_seqs(pasts)
end

local function decide(command, key)
  local op, seq, id, fence = command[1], command[3], command[4], command[5]
  if op == OP.OFFER then return protocol.offer(key, seq, id, command[6]) end
  if op == OP.HOLD then return protocol.offer(key, seq, id, command[8], command[5], payload_in(command[6])) end
  if op == OP.COMMIT then return protocol.commit(key, seq, id, fence, command[6]) end
  if op == OP.RELEASE then return protocol.release(key, seq) end
  if op == OP.CLAIM then return protocol.claim(key) end
  if op == OP.FILL then return protocol.fill(key, seq, id) end
  if op == OP.RESET then return protocol.reset(key, seq, id) end
  if op == OP.OPERATE then return protocol.operate(key, seq, id, fence) end
  local number, message = command[6], command[7]
  if op == OP.RETRY then return protocol.retry(key, seq, id, fence, number, message) end
  local act = op == OP.POSTPONE and protocol.postpone or op == OP.HALT and protocol.halt or protocol.dead_letter
  return act(key, seq, id, fence, number, message, command[8], payload_in(command[9]), command[10])
end

-- Notes since when the key waits for an event that has not come; a key that moved waits anew.
local function watch_gap(key, last_before)
  if key.gap == 0 and key.count == 0 then return end
  local waits = not key.worker and key.phase ~= HALTED and key.count > 0 and not held_at(key, key.last + 1)
  if not waits then
    key.gap = 0
  elseif key.gap == 0 or key.last ~= last_before then
    key.gap = now
  end
end

local said, said_length = {}, 0
local missing, missing_at = {}, {}

local function push(value)
  said_length = said_length + 1
  said[said_length] = value
end

-- Writes a verdict down. Payloads that have to be read come later, all together.
local function report(verdict)
  for _, value in ipairs(verdict) do push(value) end
  if not verdict.next then return end
  push(#verdict.next)
  for _, entry in ipairs(verdict.next) do
    local is_replay = entry.cause ~= nil
    push(entry.seq)
    push(entry.id)
    push(not is_replay and is_repeat(verdict.key, entry.id) and 1 or 0)
    push(is_replay and entry.at or entry.since)
    push(is_replay and protocol.payload_of(entry) or entry.payload or '')
    if not is_replay and not entry.payload then
      missing[#missing + 1] = held_field(verdict.key.name, entry.seq)
      missing_at[#missing_at + 1] = said_length
    end
  end
end

local function fill_payloads()
  for place, body in ipairs(fetch(AT.payloads, missing)) do said[missing_at[place]] = body or '' end
end

-- What was said of the plain commands and of those that were left, in the order of the batch.
local function merged(ends)
  if length == 0 then return said end
  local all, count, from, said_from = {}, 0, 1, 1
  local function take(list, first, last)
    for place = first, last do
      count = count + 1
      all[count] = list[place]
    end
  end
  for place, at in ipairs(left_at) do
    take(answer, from, at)
    take(said, said_from, ends[place])
    from, said_from = at + 1, ends[place] + 1
  end
  take(answer, from, length)
  return all
end

local commands, ends = {}, {}
for place, at in ipairs(left) do commands[place] = command_at(at) end
load_left(commands)
for place, command in ipairs(commands) do
  local key = keys[command[2]]
  local last_before = key.last
  local verdict = decide(command, key)
  watch_gap(key, last_before)
  report(verdict)
  ends[place] = said_length
end
fill_payloads()
if is_dry == 0 then
  save_batch()
  note_call()
end
-- An operator's verb comes alone, so that its verdict is the whole answer.
if policy.said ~= '' and said[1] == SAY.OPERATED then
  write_down(AT.log, now, policy.said, { said[2], said[3], said[4 + said[3]] })
end
return merged(ends)
