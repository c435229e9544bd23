-- Part of every operation that reads a key: how its state is written down, and how what is known of a held event.
local OPEN, BACKING_OFF, HALTED = 0, 1, 2

-- The numbers of a state, in the order in which they are written.
local FIELDS = {
  'last', 'fence', 'attempts', 'phase', 'due', 'count', 'bytes', 'troubled', 'epoch', 'paused', 'gap', 'dead', 'replays',
  'absent', 'passed',
}

-- Numbers one after the other. Zeros at the end are left out, so that a key at rest has two.
local function pack_state(key)
  -- What is not looked at here is not there without one of these.
  local at_rest = key.phase + key.count + key.troubled + key.epoch + key.paused + key.dead + key.absent + key.passed == 0
  if at_rest then
    if key.attempts == 0 then return pack(key.last, key.fence), true end
    return pack(key.last, key.fence, key.attempts), true
  end
  local filled = key.dead + key.absent + key.passed == 0 and 11 or 15
  while key[FIELDS[filled]] == 0 do filled = filled - 1 end
  local numbers = {
    key.last, key.fence, key.attempts, key.phase, key.due, key.count, key.bytes, key.troubled, key.epoch, key.paused, key.gap,
    key.dead, key.replays, key.absent, key.passed,
  }
  return pack(unpack(numbers, 1, filled)), false
end

-- All of a state is made at once: a table that grows is put together anew each time. `head` says where in the claim of a key
-- begins what is granted.
local function state_of(last, fence, attempts, phase, due, count, bytes, troubled, epoch, paused, gap, dead, replays, absent, passed)
  return {
    last = last, fence = fence, attempts = attempts or 0, phase = phase or OPEN, due = due or 0, count = count or 0, bytes = bytes or 0,
    troubled = troubled or 0, epoch = epoch or 0, paused = paused or 0, gap = gap or 0, dead = dead or 0, replays = replays or 0,
    absent = absent or 0, passed = passed or 0, at_rest = not phase, head = 3,
  }
end

local function fresh_state(last)
  return state_of(last, 0)
end

local function unpack_state(text)
  return state_of(decode(text))
end

-- What is known of a held event beside its payload: "since size id". An id is any text.
local function pack_meta(entry)
  return digits(entry.since) .. ' ' .. digits(entry.size) .. ' ' .. entry.id
end

local function unpack_meta(text, name, seq)
  local since, size, id = string.match(text, '^(%d+) (%d+) (.*)$')
  return { since = tonumber(since), size = tonumber(size), id = id, name = name, seq = seq, stored = true }
end

-- A seq consists of digits, so the first colon ends it, whatever the key is.
local function held_field(name, seq)
  return digits(seq) .. ':' .. name
end

-- From how many starts on that came to no end an event is a suspect.
local SUSPECT = 2

-- Of a key that no worker alive has: whether its head was under way in workers that died, twice or more.
local function is_suspect(key, max_attempts)
  return key.phase == OPEN and key.attempts >= SUSPECT and key.attempts < max_attempts
end
