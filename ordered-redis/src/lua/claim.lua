-- Part of apply: a worker takes a key, and gives it back.
local DIED = 'a worker died or lost its lease while it had the event'
local SKIP_GAPS, HALT_GAPS = 1, 2

local function gap_is_over(key)
  return key.gap > 0 and policy.on_gap > 0 and key.gap + policy.gap_after <= now
end

local function runnable(key)
  if key.worker and alive[key.worker] then return false end
  if is_paused(key) or not is_open(key) then return false end
  local left_behind = key.worker and key.count > 0
  return left_behind or held_at(key, key.last + 1) ~= nil or first_replay(key) ~= nil or gap_is_over(key)
end

-- What waits in the store and may be granted: a replay before the head.
local function waiting(key)
  return first_replay(key) or held_at(key, key.last + 1)
end

-- What was replayed is put aside again.
function protocol.put_back(key, seq, message)
  local entry = dead_at(key, seq)
  if not entry then return end
  entry.error, entry.at = message, now
  protocol.set_replay(key, entry, 0)
end

function protocol.exhausted(key, seq, died)
  if seq > key.last then
    if not trouble_of(key) then blame(key, DIED) end
    key.phase, key.due = HALTED, 0
  else
    protocol.put_back(key, seq, died or DIED)
    pass_absent(key)
  end
end

-- An event has not come for as long as the group waits.
local function end_gap(key)
  if policy.on_gap == HALT_GAPS then
    blame(key, 'seq ' .. digits(key.last + 1) .. ' has not come for ' .. policy.gap_text)
    key.phase, key.due = HALTED, 0
  elseif policy.on_gap == SKIP_GAPS then
    local first = protocol.held_between(key, 0, MAX_SEQ, 1)[1]
    if first then
      protocol.pass(key, first - 1)
      pass_absent(key)
    end
  end
end

-- The event at the head is not there: it was granted to a worker that is gone, or has not come for too long.
local function end_what_is_over(key)
  if key.worker then
    protocol.seize_from_the_dead(key)
    pass_absent(key)
    if waiting(key) or policy.gap_after > 0 then return end
  end
  end_gap(key)
end

local function front_is_stored(key)
  local seq = grants.front(key)
  return seq <= key.last or held_at(key, seq) ~= nil
end

function protocol.claim(key)
  if owns(key, key.fence) then
    if not front_is_stored(key) then return { SAY.IDLE } end
  else
    -- A worker that is not alive, or is this one under an old fence, is in nobody's way.
    if not runnable(key) then return { SAY.IDLE } end
    if not waiting(key) then end_what_is_over(key) end
    local first = waiting(key)
    if not first then return { SAY.IDLE } end
    local is_replay = first.seq <= key.last
    if take(key, first.seq, first.id) then
      if is_replay then return protocol.claim(key) end
      return { SAY.IDLE }
    end
  end
  local attempt = attempts(key, grants.front(key))
  return { SAY.CLAIMED, key.fence, attempt, next = protocol.next_of(key, key.last), key = key }
end

function protocol.release(key, fence)
  if owns(key, fence) then
    local seq = grants.front(key)
    set_attempts(key, seq, max(attempts(key, seq) - 1, 0))
    end_claim(key)
  end
  if fence == key.fence and not key.worker then return { SAY.RELEASED } end
  return { SAY.FENCED }
end
