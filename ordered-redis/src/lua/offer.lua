-- Part of apply: the protocol, as protocol/decide in ordered-core has it, function by function. That is the
-- specification; the differential test holds these files equal to it.
local SAY = {
  RUN = RUN, EARLY = 2, HOLDS = 3, HOLD_FULL = 4, DUPLICATE = DUPLICATE, STALE = 6, CONFLICT = 7, COMMITTED = 8, POSTPONED = 9,
  IS_HALTED = 10, RELEASED = 11, CLAIMED = 12, IDLE = 13, FENCED = 14, LATE = 15, NOT_YET = 16, NOTE = 17, OPERATED = 18,
  REFUSED = 19,
}
local WHY = { GAP = 1, RUNNING = 2, LANE_FULL = 3, BACKING_OFF = 4, HALTED = 5, PAUSED = 6 }
local FULL = { KEY_EVENTS = 1, KEY_BYTES = 2, GROUP_EVENTS = 3, GROUP_BYTES = 4 }
local MAX_SEQ = 9007199254740991

local function owns(key, fence)
  return fence == key.fence and key.worker == worker
end

local function owns_front(key, seq, id, fence)
  return owns(key, fence) and grants.is_front(key, seq, id)
end

local function is_open(key)
  return key.phase == OPEN or (key.phase == BACKING_OFF and key.due <= now)
end

local function blocked(key)
  if key.phase == HALTED then return WHY.HALTED end
  if is_paused(key) then return WHY.PAUSED end
  if not is_open(key) then return WHY.BACKING_OFF end
end

-- Ends the claim of a worker that is gone, if there is one, and says who it was.
function protocol.seize_from_the_dead(key)
  local whom, first = key.worker, grants.front(key)
  seize(key)
  if not whom then return nil end
  local message = 'worker ' .. whom .. ' died or lost its lease while it had the event'
  if first == key.last + 1 then blame(key, message, whom) end
  return message
end

-- Gives the key to the worker, to run this event first; one that has used up its attempts stops the key instead.
local function take(key, seq, id)
  local died = protocol.seize_from_the_dead(key)
  if attempts(key, seq) >= policy.max_attempts then
    protocol.exhausted(key, seq, died)
    return WHY.HALTED
  end
  open_phase(key)
  start_claim(key, seq, id)
  begin_front(key)
end

local function obstacle(key, seq, id)
  local upto = grants.upto(key)
  if key.worker == worker then
    if seq <= upto then return nil end
    if seq > following(key, upto) then return WHY.GAP end
    if is_paused(key) then return WHY.PAUSED end
    if grants.count(key) >= policy.lane_depth then return WHY.LANE_FULL end
    return grant(key, seq, id)
  end
  if key.worker and alive[key.worker] then
    return seq > following(key, upto) and WHY.GAP or WHY.RUNNING
  end
  local why = blocked(key)
  if why then return why end
  if seq > key.last + 1 then return WHY.GAP end
  if is_suspect(key, max_attempts) then return WHY.BACKING_OFF end
  return take(key, seq, id)
end

local function full(key, seq, size)
  if seq == key.last + 1 then return nil end
  if key.count >= policy.key_events then return FULL.KEY_EVENTS end
  if key.bytes + size > policy.key_bytes then return FULL.KEY_BYTES end
  local totals = bucket()
  if totals.events >= policy.bucket_events then return FULL.GROUP_EVENTS end
  if totals.bytes + size > policy.bucket_bytes then return FULL.GROUP_BYTES end
end

local function past(key, seq, id)
  if is_repeat(key, id) then return { SAY.DUPLICATE } end
  local recorded = key.done_seqs[seq]
  if recorded then
    if recorded == sub(id, 5) then return { SAY.DUPLICATE } end
    return { SAY.CONFLICT, '    ' .. recorded }
  end
  local entry = dead_at(key, seq)
  if entry and entry.id == id then return { SAY.DUPLICATE } end
  if key.passed > 0 and protocol.was_passed(key, seq) then return { SAY.LATE } end
  return { SAY.STALE }
end

local function of_another_epoch(key, id, epoch)
  if epoch > key.epoch then return { SAY.NOT_YET } end
  return { is_repeat(key, id) and SAY.DUPLICATE or SAY.LATE }
end

local function place_of(key, seq, id, size, payload)
  local why = obstacle(key, seq, id)
  if not why then
    local attempt = grants.front(key) == seq and key.attempts or 1
    return { SAY.RUN, key.fence, grants.front(key), attempt, is_repeat(key, id) and 1 or 0 }
  end
  local head = key.last + 1
  if held_at(key, seq) then return { SAY.HOLDS, head, why } end
  if not payload then return { SAY.EARLY, head, why } end
  local limit = full(key, seq, size)
  if limit then return { SAY.HOLD_FULL, limit } end
  keep(key, seq, id, size, payload)
  return { SAY.HOLDS, head, why }
end

function protocol.offer(key, seq, id, epoch, size, payload)
  if epoch and epoch ~= key.epoch then return of_another_epoch(key, id, epoch) end
  if seq <= key.last then return past(key, seq, id) end
  local pending, entry = pending_id(key, seq), dead_at(key, seq)
  local recorded = pending or (entry and entry.id)
  if recorded and recorded ~= id then return { SAY.CONFLICT, recorded } end
  if entry then return { SAY.DUPLICATE } end
  if not pending and seq < grants.upto(key) then
    if key.worker == worker or alive[key.worker] then return { SAY.LATE } end
    seize(key)
    pass_absent(key)
    if seq <= key.last then return past(key, seq, id) end
  end
  return place_of(key, seq, id, size, payload)
end
