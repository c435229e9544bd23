-- Part of apply: what will never come, what was passed over, and so which seq comes after which.
-- A list of ranges is flat: from, to, from, to, … (and until when it is remembered, for what was passed over).
local PASSED_RANGES = 64

local function absent_of(key)
  if not key.holes then
    local stored = key.absent > 0 and call('HGET', AT.absent, key.name)
    key.holes = stored and decode(stored) or {}
  end
  return key.holes
end

function protocol.set_absent(key, list)
  key.holes, key.absent, key.holes_changed = list, #list / 2, true
end

local function passed_of(key)
  if not key.gone then
    key.gone = {}
    local stored = key.passed > 0 and call('HGET', AT.passed, key.name)
    local list = stored and decode(stored) or {}
    for place = 1, #list, 3 do
      if list[place + 2] > now then
        for step = 0, 2 do key.gone[#key.gone + 1] = list[place + step] end
      end
    end
  end
  return key.gone
end

function protocol.set_passed(key, list)
  key.gone, key.passed, key.gone_changed = list, #list > 0 and 1 or 0, true
end

function protocol.was_passed(key, seq)
  local list = passed_of(key)
  for place = 1, #list, 3 do
    if seq >= list[place] and seq <= list[place + 1] then return true end
  end
  return false
end

function protocol.absent_until(key, seq)
  local list = absent_of(key)
  for place = 1, #list, 2 do
    if list[place] <= seq and seq <= list[place + 1] then return list[place + 1] end
  end
end

local function first_pending(key, from, to)
  local first = protocol.held_between(key, from, to, 1)[1]
  for place = key.head, key.granted and #key.granted or 0, 2 do
    local seq = key.granted[place]
    if seq >= from and seq <= to and (not first or seq < first) then first = seq end
  end
  return first
end

-- The seq whose turn it is after this one: the next that is not known to be absent, or is here all the same.
function protocol.find_following(key, seq)
  local after = seq + 1
  while not pending_id(key, after) do
    local stop = protocol.absent_until(key, after)
    if not stop then break end
    after = first_pending(key, after, stop) or stop + 1
  end
  return after
end

-- Moves the key to a seq without a commit. None of it is held.
function protocol.pass(key, to)
  if policy.dedup_ttl > 0 then
    local list = passed_of(key)
    if #list >= 3 * PASSED_RANGES then
      for _ = 1, 3 do table.remove(list, 1) end
    end
    list[#list + 1], list[#list + 2], list[#list + 3] = key.last + 1, to, now + policy.dedup_ttl
    protocol.set_passed(key, list)
  end
  key.last, key.attempts = to, 0
  forgive(key)
  open_phase(key)
end

-- Moves the key past what will never come, up to what is there or may still come.
function protocol.pass_holes(key)
  local head = key.last + 1
  if not pending_id(key, head) then
    local after = following(key, key.last)
    if after > head then protocol.pass(key, after - 1) end
  end
  local list, ahead = absent_of(key), {}
  for place = 1, #list, 2 do
    if list[place + 1] > key.last then ahead[#ahead + 1], ahead[#ahead + 2] = list[place], list[place + 1] end
  end
  if #ahead < #list then protocol.set_absent(key, ahead) end
end

-- Notes a range, made one with those that it touches.
function protocol.note_absent(key, from, to)
  local list, before, behind = absent_of(key), {}, {}
  for place = 1, #list, 2 do
    local start, stop = list[place], list[place + 1]
    if stop + 1 < from then
      before[#before + 1], before[#before + 2] = start, stop
    elseif start > to + 1 then
      behind[#behind + 1], behind[#behind + 2] = start, stop
    else
      from, to = min(from, start), max(to, stop)
    end
  end
  before[#before + 1], before[#before + 2] = from, to
  for _, number in ipairs(behind) do before[#before + 1] = number end
  protocol.set_absent(key, before)
end
