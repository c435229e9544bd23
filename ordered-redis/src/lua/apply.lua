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

-- What stands at a place of a command, if anything does.
local function given_at(at)
  local value = asked[at]
  return value ~= -1 and value or nil
end

-- The held events that a command is likely to look at, and those that it is likely to hand back. As many as are held may follow
-- one another, and no more.
local function want_for(at, key, wanted, handed)
  local op, seq = asked[at], asked[at + 2]
  local is_commit = op == OP.COMMIT or op == OP.DEAD_LETTER
  want_held(key, key.last + 1, wanted)
  if op <= OP.HOLD or is_commit or op == OP.POSTPONE or op == OP.HALT then want_held(key, seq, wanted) end
  if not is_commit and op ~= OP.CLAIM then return end
  local first, last = key.last + 1, key.last + policy.lane_depth
  if is_commit then
    first, last = max(min(asked[at + (op == OP.COMMIT and 5 or 9)], last), seq) + 1, seq + policy.lane_depth
  end
  for next_seq = first, min(first + min(policy.next_events, key.was.count) - 1, last, MAX_SEQ) do
    want_held(key, next_seq, wanted)
    handed[#handed + 1] = key
    handed[#handed + 1] = next_seq
  end
end

-- What the commands that are left are likely to ask for, all of it at once.
local function load_left()
  load_keys()
  local held, handed, wanted, pasts = {}, {}, {}, {}
  for _, at in ipairs(left) do
    local key, op, seq, id = keys[asked[at + 1]], asked[at], asked[at + 2], asked[at + 3]
    if key.was.count > 0 then want_for(at, key, held, handed) end
    if op <= OP.HOLD then
      key.done_ids[ids[id]] = done[id]
      if seq <= key.last and not is_repeat(key, ids[id]) then pasts[#pasts + 1] = { key, seq } end
    end
  end
  load_held(held)
  for at = 1, #handed, 2 do
    local key = handed[at]
    local entry = key.held[handed[at + 1]]
    if entry then want_done_id(key, entry.id, wanted) end
  end
  load_done_ids(wanted)
  load_done_seqs(pasts)
end

local function decide(at, key)
  local op, seq, fence = asked[at], asked[at + 2], asked[at + 4]
  if op == OP.RELEASE then return protocol.release(key, seq) end
  if op == OP.CLAIM then return protocol.claim(key) end
  if op == OP.FILL then return protocol.fill(key, seq, asked[at + 3]) end
  if op == OP.RESET then return protocol.reset(key, seq, given_at(at + 3)) end
  if op == OP.OPERATE then return protocol.operate(key, seq, given_at(at + 3), given_at(at + 4)) end
  local id = ids[asked[at + 3]]
  if op == OP.OFFER then return protocol.offer(key, seq, id, given_at(at + 5)) end
  if op == OP.HOLD then return protocol.offer(key, seq, id, given_at(at + 7), asked[at + 4], payload_in(asked[at + 5])) end
  if op == OP.COMMIT then return protocol.commit(key, seq, id, fence, asked[at + 5]) end
  local number, message = asked[at + 5], asked[at + 6]
  if op == OP.RETRY then return protocol.retry(key, seq, id, fence, number, message) end
  local act = op == OP.POSTPONE and protocol.postpone or op == OP.HALT and protocol.halt or protocol.dead_letter
  return act(key, seq, id, fence, number, message, asked[at + 7], payload_in(asked[at + 8]), asked[at + 9])
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
  for place = 1, #verdict do said[said_length + place] = verdict[place] end
  said_length = said_length + #verdict
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

local ends = {}
load_left()
for place, at in ipairs(left) do
  local key = keys[asked[at + 1]]
  local last_before = key.last
  local verdict = decide(at, key)
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
