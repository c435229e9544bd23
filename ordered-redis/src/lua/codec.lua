-- Part of every operation that reads a key: how its state is written down, and how what is known of a held event.
local OPEN, BACKING_OFF, HALTED = 0, 1, 2

-- The numbers of a state, in the order in which they are written.
local FIELDS = {
  'last', 'fence', 'attempts', 'phase', 'due', 'count', 'bytes', 'troubled', 'epoch', 'paused', 'gap', 'dead', 'replays',
  'absent', 'passed',
}

-- What a key is where nothing else is said, so that one at rest is a small table.
local DEFAULTS = { __index = {
  attempts = 0, phase = OPEN, due = 0, count = 0, bytes = 0, troubled = 0, epoch = 0, paused = 0, gap = 0, dead = 0,
  replays = 0, absent = 0, passed = 0,
} }

-- Numbers one after the other. Zeros at the end are left out, so that a key at rest has two.
local function pack_state(key)
  -- What is not looked at here is not there without one of these.
  local at_rest = key.phase + key.count + key.troubled + key.epoch + key.paused + key.dead + key.absent + key.passed == 0
  local filled, numbers = at_rest and 3 or #FIELDS, {}
  while filled > 2 and key[FIELDS[filled]] == 0 do filled = filled - 1 end
  for place = 1, filled do numbers[place] = key[FIELDS[place]] end
  return pack(unpack(numbers)), at_rest
end

local function fresh_state(last)
  return setmetatable({ last = last, fence = 0, at_rest = true }, DEFAULTS)
end

local function unpack_state(text)
  local last, fence, attempts, more = decode(text)
  local key = fresh_state(last)
  key.fence, key.attempts, key.at_rest = fence, attempts, not more
  if more then
    for place, number in ipairs({ decode(text) }) do key[FIELDS[place]] = number end
  end
  return key
end

-- What is known of a held event beside its payload: "since size id". An id is any text.
local function pack_meta(entry)
  return digits(entry.since) .. ' ' .. digits(entry.size) .. ' ' .. entry.id
end

local function unpack_meta(text)
  local since, size, id = string.match(text, '^(%d+) (%d+) (.*)$')
  return { since = tonumber(since), size = tonumber(size), id = id }
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
