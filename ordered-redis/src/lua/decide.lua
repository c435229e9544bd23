-- Part of apply: the protocol, as protocol/decide.rs in ordered-core has it, function by function. That file is the
-- specification; the differential test holds this one equal to it.
local VERDICT = {
  RUN = 1, EARLY = 2, HELD = 3, HOLD_FULL = 4, DUPLICATE = 5, STALE = 6, CONFLICT = 7, COMMITTED = 8, POSTPONED = 9,
  HALTED = 10, RELEASED = 11, CLAIMED = 12, IDLE = 13, FENCED = 14,
}
local OBSTACLE = { GAP = 1, RUNNING = 2, LANE_FULL = 3, BACKING_OFF = 4, HALTED = 5 }
local QUOTA = { KEY_EVENTS = 1, KEY_BYTES = 2, GROUP_EVENTS = 3, GROUP_BYTES = 4 }
local MAX_SEQ = 9007199254740991

local function owns(key, fence)
  return fence == key.fence and key.worker == worker
end

local function owns_head(key, seq, id, fence)
  return owns(key, fence) and seq == key.last + 1 and key.granted[1] == id
end

local function granted_upto(key)
  return key.last + (key.granted and #key.granted or 0)
end

local function pending_id(key, seq)
  local granted = key.granted and key.granted[seq - key.last]
  if granted then return granted end
  local entry = held_at(key, seq)
  return entry and entry.id
end

local function attempt_at(key, seq)
  return seq == key.last + 1 and key.attempts or 1
end

local function is_open(key)
  return key.phase == PHASE.OPEN or (key.phase == PHASE.BACKING_OFF and key.due <= now)
end

local function runnable(key)
  local free = not key.worker or not alive[key.worker]
  return free and is_open(key) and held_at(key, key.last + 1) ~= nil
end

local function blocked(key)
  if key.phase == PHASE.HALTED then return OBSTACLE.HALTED end
  if not is_open(key) then return OBSTACLE.BACKING_OFF end
end

local function take(key, id)
  key.fence = key.fence + 1
  if key.attempts >= max_attempts then
    blame(key, 'the worker that ran it died or lost its lease, on the last of its attempts')
    set_claim(key, nil)
    key.phase, key.due = PHASE.HALTED, 0
    return OBSTACLE.HALTED
  end
  key.attempts = key.attempts + 1
  key.phase, key.due = PHASE.OPEN, 0
  set_claim(key, { id })
end

local function obstacle(key, seq, id)
  local upto = granted_upto(key)
  if key.worker == worker then
    if seq > upto + 1 then return OBSTACLE.GAP end
    if seq == upto + 1 then
      if #key.granted >= lane_depth then return OBSTACLE.LANE_FULL end
      grant(key, id)
    end
    return nil
  end
  if key.worker and alive[key.worker] then
    return seq > upto + 1 and OBSTACLE.GAP or OBSTACLE.RUNNING
  end
  local why = blocked(key)
  if why then return why end
  if seq > key.last + 1 then return OBSTACLE.GAP end
  return take(key, id)
end

local function full(key, seq, size)
  if seq == key.last + 1 then return nil end
  if key.count >= key_events then return QUOTA.KEY_EVENTS end
  if key.bytes + size > key_bytes then return QUOTA.KEY_BYTES end
  local totals = bucket()
  if totals.events >= bucket_events then return QUOTA.GROUP_EVENTS end
  if totals.bytes + size > bucket_bytes then return QUOTA.GROUP_BYTES end
end

-- `known` is the field of the id among what is remembered.
local function past(key, seq, id, known)
  if is_repeat(known) then return { VERDICT.DUPLICATE } end
  local recorded = done_at(key, seq)
  if not recorded then return { VERDICT.STALE } end
  if recorded == id then return { VERDICT.DUPLICATE } end
  return { VERDICT.CONFLICT, recorded }
end

local function offer(key, seq, id, known, size, payload)
  if seq <= key.last then return past(key, seq, id, known) end
  local recorded = pending_id(key, seq)
  if recorded and recorded ~= id then return { VERDICT.CONFLICT, recorded } end
  local why = obstacle(key, seq, id)
  if not why then
    return { VERDICT.RUN, key.fence, attempt_at(key, seq), is_repeat(known) and 1 or 0 }
  end
  local head = key.last + 1
  if held_at(key, seq) then return { VERDICT.HELD, head, why } end
  if not payload then return { VERDICT.EARLY, head, why } end
  local limit = full(key, seq, size)
  if limit then return { VERDICT.HOLD_FULL, limit } end
  keep(key, seq, id, size, payload)
  return { VERDICT.HELD, head, why }
end

-- The held events beyond `have` that the worker may run; grants those that are not granted yet.
local function next_of(key, have)
  local found, bytes = {}, 0
  if not key.worker or key.count == 0 then return found end
  local upto = granted_upto(key)
  -- Beyond the largest seq a double counts no further, and the walk would not end.
  local first, last = min(max(have, key.last), upto) + 1, min(key.last + lane_depth, MAX_SEQ)
  if first > last or (first > upto and not held_at(key, first)) then return found end
  load_range(key, first, min(last, first + next_events - 1))
  for seq = first, last do
    local entry = held_at(key, seq)
    if entry then
      bytes = bytes + entry.size
      if #found >= next_events or (bytes > next_bytes and #found > 0) then break end
      found[#found + 1] = entry
      if seq > upto then grant(key, entry.id) end
    elseif seq > upto then
      break
    end
  end
  return found
end

local function advance(key, seq, id)
  drop_held(key, seq)
  key.last = seq
  key.trouble, key.troubled = nil, false
  remember(key, seq, id)
  table.remove(key.granted, 1)
  key.claim_changed = true
  key.attempts = 1
end

local function end_idle_claim(key)
  if key.worker and #key.granted == 0 then
    set_claim(key, nil)
    key.attempts = 0
  end
end

local function commit(key, seq, id, fence, have)
  if fence ~= key.fence then return { VERDICT.FENCED } end
  if seq > key.last then
    if not owns_head(key, seq, id, fence) then return { VERDICT.FENCED } end
    advance(key, seq, id)
  end
  local found = next_of(key, have)
  end_idle_claim(key)
  return { VERDICT.COMMITTED, owns(key, fence) and 0 or 1, next = found, key = key }
end

local function retry(key, seq, id, fence, number, message)
  if not owns_head(key, seq, id, fence) then return { VERDICT.FENCED } end
  if number >= key.attempts then
    blame(key, message)
    key.attempts = number + 1
  end
  return { VERDICT.RUN, fence, key.attempts, 0 }
end

local function set_aside(key, seq, id, number, message, size, payload, phase, due)
  blame(key, message)
  if not held_at(key, seq) then keep(key, seq, id, size, payload) end
  key.attempts, key.phase, key.due = number, phase, due
  set_claim(key, nil)
end

local function is_set_aside(key, seq, fence, phase)
  return key.phase == phase and fence == key.fence and not key.worker and seq == key.last + 1
end

local function postpone(key, seq, id, fence, number, message, size, payload, delay)
  if owns_head(key, seq, id, fence) then
    set_aside(key, seq, id, number, message, size, payload, PHASE.BACKING_OFF, now + delay)
  end
  if is_set_aside(key, seq, fence, PHASE.BACKING_OFF) then return { VERDICT.POSTPONED, key.due } end
  return { VERDICT.FENCED }
end

local function halt(key, seq, id, fence, number, message, size, payload)
  if owns_head(key, seq, id, fence) then
    set_aside(key, seq, id, number, message, size, payload, PHASE.HALTED, 0)
  end
  if is_set_aside(key, seq, fence, PHASE.HALTED) then return { VERDICT.HALTED } end
  return { VERDICT.FENCED }
end

local function release(key, fence)
  if owns(key, fence) then
    set_claim(key, nil)
    key.attempts = max(key.attempts - 1, 0)
  end
  if fence == key.fence and not key.worker then return { VERDICT.RELEASED } end
  return { VERDICT.FENCED }
end

local function claim(key)
  if not owns(key, key.fence) then
    if not runnable(key) then return { VERDICT.IDLE } end
    if take(key, held_at(key, key.last + 1).id) then return { VERDICT.IDLE } end
  end
  local found = next_of(key, key.last)
  return { VERDICT.CLAIMED, key.fence, key.attempts, next = found, key = key }
end
