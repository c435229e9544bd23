-- Part of apply: what is seldom there is asked for only where the state of the key says that it is. The functions behind
-- it are made when one of them is first called: a script that only handles events in order never makes them.
local CAUSE = { FAILED = 1, SKIPPED = 2, DISCARDED = 3, SUPERSEDED = 4 }
local dead_entries = {} -- the events that were put aside, by field; false where it is known that there is none
local dead_changes = {} -- { key, entry }

local make_rare
local protocol = setmetatable({}, { __index = function(made, name)
  if make_rare then
    make_rare()
    make_rare = nil
  end
  return rawget(made, name)
end })

local function dead_at(key, seq)
  return key.dead > 0 and protocol.find_dead(key, seq) or nil
end

local function first_replay(key)
  return key.replays > 0 and protocol.find_replay(key) or nil
end

-- How often the event was started: the one at the head, or one that is replayed.
local function attempts(key, seq)
  local entry = seq <= key.last and dead_at(key, seq)
  return entry and entry.attempts or key.attempts
end

local function set_attempts(key, seq, number)
  local entry = seq <= key.last and dead_at(key, seq)
  if entry then
    entry.attempts = number
    protocol.change_dead(key, entry)
  else
    key.attempts = number
  end
end

-- The seq whose turn it is after this one: the next that is not known to be absent, or is here all the same.
local function following(key, seq)
  return key.absent > 0 and protocol.find_following(key, seq) or seq + 1
end

-- Moves the key past what will never come, up to what is there or may still come.
local function pass_absent(key)
  if key.absent > 0 then protocol.pass_holes(key) end
end

local function end_claim(key)
  drop_claim(key)
  pass_absent(key)
end

-- The event at the front of the claim begins its next attempt.
local function begin_front(key)
  local seq = grants.front(key)
  if seq then set_attempts(key, seq, attempts(key, seq) + 1) end
end
