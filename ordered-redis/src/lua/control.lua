-- Part of apply: what producers and operators say of a key.
local REFUSAL = { NOT_STOPPED = 1, NOTHING_TO_SKIP = 2, NOT_AHEAD = 3, NO_SUCH_EVENT = 4, RUNNING = 5, ALREADY = 6,
  SUPERSEDED = 7 }
-- How many seqs an effect lists at the most, and how many replays one verb asks for.
local MOST = 1000
-- How many ranges of absent seqs are noted for a key.
local ABSENT_RANGES = 1000

-- Puts a held event aside.
local function bury_one(key, seq, cause)
  local is_head, tries = seq == key.last + 1, key.attempts
  local entry = drop_held(key, seq)
  if not entry then return end
  local trouble = is_head and trouble_of(key)
  protocol.put_aside(key, {
    seq = seq, id = entry.id, cause = cause, error = trouble and trouble[1] or '', attempts = is_head and tries or 0,
    size = entry.size, payload = entry.payload, moved_from = not entry.payload and held_field(key.name, seq) or nil,
  })
end

local function bury(key, to, cause)
  local seqs = protocol.held_between(key, 0, to, key.count)
  local wanted = {}
  for _, seq in ipairs(seqs) do want_held(key, seq, wanted) end
  load_held(wanted)
  for _, seq in ipairs(seqs) do bury_one(key, seq, cause) end
  return seqs
end

function protocol.fill(key, from, to)
  from = max(from, key.last + 1)
  if to >= from then
    local is_known = key.absent > 0 and (protocol.absent_until(key, from) or 0) >= to
    if key.absent >= ABSENT_RANGES and not is_known then return { SAY.HOLD_FULL, FULL.KEY_EVENTS } end
    protocol.note_absent(key, from, to)
    pass_absent(key)
  end
  return { SAY.NOTE }
end

-- A new numbering: nothing of the old one counts, but for the ids.
local function begin_again(key, last, epoch)
  key.epoch, key.last, key.attempts, key.done_seqs = epoch, last, 0, {}
  open_phase(key)
  forgive(key)
  if key.absent > 0 then protocol.set_absent(key, {}) end
  if key.passed > 0 then protocol.set_passed(key, {}) end
end

function protocol.reset(key, at, epoch)
  if not epoch then
    if at > 1 then return protocol.fill(key, 1, at - 1) end
  elseif epoch > key.epoch then
    seize(key)
    bury(key, MAX_SEQ, CAUSE.SUPERSEDED)
    begin_again(key, at - 1, epoch)
  end
  return { SAY.NOTE }
end

local verbs = {}

-- Why there is no event with this seq, or none at all, to be run.
local function no_such_event(key, seq)
  local superseded = key.dead > 0
  if seq then superseded = protocol.older_dead(key, seq) ~= nil end
  return superseded and REFUSAL.SUPERSEDED or REFUSAL.NO_SUCH_EVENT
end

function verbs.retry(key)
  if key.phase == OPEN then return REFUSAL.NOT_STOPPED end
  open_phase(key)
  key.attempts = 0
  pass_absent(key)
  return nil, {}
end

function verbs.skip(key, to)
  local head = key.last + 1
  if to and to < head then return REFUSAL.NOT_AHEAD end
  if not to and pending_id(key, head) then to = head end
  if not to then
    local first = protocol.held_between(key, 0, MAX_SEQ, 1)[1]
    if not first then return REFUSAL.NOTHING_TO_SKIP end
    to = first - 1
  end
  seize(key)
  local removed = bury(key, to, CAUSE.SKIPPED)
  protocol.pass(key, to)
  pass_absent(key)
  return nil, removed
end

function verbs.discard(key, seq)
  local entry = dead_at(key, seq)
  if held_at(key, seq) then
    if key.worker then seize(key) end
    bury_one(key, seq, CAUSE.DISCARDED)
    protocol.note_absent(key, seq, seq)
    pass_absent(key)
  elseif entry then
    if grants.id_of(key, seq) then seize(key) end
    protocol.drop_dead(key, entry)
    if key.troubled == 0 and key.phase ~= HALTED then open_phase(key) end
  else
    local older = protocol.older_dead(key, seq)
    if not older then return REFUSAL.NO_SUCH_EVENT end
    protocol.drop_dead(key, older)
  end
  return nil, { seq }
end

function verbs.edit(key, seq, place)
  if grants.id_of(key, seq) then return REFUSAL.RUNNING end
  local dead, held = dead_at(key, seq), held_at(key, seq)
  if dead then
    protocol.give_body(dead, payload_in(place))
    protocol.change_dead(key, dead)
  elseif held then
    local before = held.size
    protocol.give_body(held, payload_in(place))
    change_held(key, held, seq, held.stored)
    add_totals(key, 0, held.size - before)
  else
    return no_such_event(key, seq)
  end
  return nil, {}
end

function verbs.set_last(key, to)
  if to == key.last then return REFUSAL.ALREADY end
  seize(key)
  local removed = bury(key, to, CAUSE.SKIPPED)
  if to > key.last then protocol.pass(key, to) else begin_again(key, to, key.epoch + 1) end
  pass_absent(key)
  return nil, removed
end

local function set_paused(key, paused)
  if key.paused == paused then return REFUSAL.ALREADY end
  key.paused = paused
  return nil, {}
end

function verbs.pause(key) return set_paused(key, 1) end
function verbs.resume(key) return set_paused(key, 0) end

function verbs.replay(key, only)
  local seqs = protocol.dead_between(key, 'd', only or 0, only or MAX_SEQ, key.replays + MOST)
  if #seqs == 0 then return no_such_event(key, only) end
  local marked = 0
  for _, seq in ipairs(seqs) do
    local entry = dead_at(key, seq)
    if entry.replay == 0 and marked < MOST then
      entry.attempts, marked = 0, marked + 1
      protocol.set_replay(key, entry, 1)
    end
  end
  return nil, {}
end

-- What may run now: the replays, and what is held from the head on without a gap.
local function released(key)
  if is_paused(key) or not is_open(key) then return {} end
  local found = key.replays > 0 and protocol.dead_between(key, 'r', 0, key.last, MOST) or {}
  local seq = key.last + 1
  while #found < MOST and held_at(key, seq) do
    found[#found + 1] = seq
    seq = following(key, seq)
  end
  return found
end

local VERBS = { 'retry', 'skip', 'discard', 'edit', 'set_last', 'pause', 'resume', 'replay' }

function protocol.operate(key, verb, argument, another)
  local refusal, removed = verbs[VERBS[verb]](key, argument, another)
  if refusal then return { SAY.REFUSED, refusal } end
  local verdict, out = { SAY.OPERATED, key.last }, released(key)
  for _, list in ipairs({ out, removed }) do
    verdict[#verdict + 1] = #list
    for _, seq in ipairs(list) do verdict[#verdict + 1] = seq end
  end
  return verdict
end
