-- Part of apply: runs of the handler that failed.
local function blame_front(key, seq, message)
  if seq > key.last then return blame(key, message) end
  local entry = dead_at(key, seq)
  if not entry then return end
  entry.error, entry.at = message, now
  protocol.change_dead(key, entry)
end

function protocol.retry(key, seq, id, fence, number, message)
  if not owns_front(key, seq, id, fence) then return { SAY.FENCED } end
  if number >= attempts(key, seq) then
    blame_front(key, seq, message)
    set_attempts(key, seq, number + 1)
  end
  return { SAY.RUN, fence, seq, attempts(key, seq), 0 }
end

-- The failed event stays at the head, kept whatever the quota says, and the claim ends. One that was replayed is in the
-- store already.
local function set_aside(key, seq, id, number, message, size, payload)
  blame_front(key, seq, message)
  if seq > key.last and not held_at(key, seq) then keep(key, seq, id, size, payload) end
  set_attempts(key, seq, number)
  end_claim(key)
end

-- Whether it is so already, and the store has the event.
local function gave_up(key, seq, id, fence)
  if fence ~= key.fence or key.worker then return false end
  if seq > key.last then return seq == key.last + 1 and pending_id(key, seq) == id end
  local entry = dead_at(key, seq)
  return entry ~= nil and entry.id == id
end

function protocol.postpone(key, seq, id, fence, number, message, size, payload, delay)
  if owns_front(key, seq, id, fence) then
    set_aside(key, seq, id, number, message, size, payload)
    key.phase, key.due = BACKING_OFF, now + delay
  end
  if key.phase == BACKING_OFF and gave_up(key, seq, id, fence) then return { SAY.POSTPONED, key.due } end
  return { SAY.FENCED }
end

function protocol.halt(key, seq, id, fence, number, message, size, payload)
  if owns_front(key, seq, id, fence) then
    set_aside(key, seq, id, number, message, size, payload)
    if seq > key.last then
      key.phase, key.due = HALTED, 0
    else
      protocol.put_back(key, seq, message)
    end
  end
  local stopped = key.phase == HALTED or seq <= key.last
  if stopped and gave_up(key, seq, id, fence) then return { SAY.IS_HALTED } end
  return { SAY.FENCED }
end

function protocol.dead_letter(key, seq, id, fence, number, message, size, payload, have)
  if not owns_front(key, seq, id, fence) then return protocol.commit(key, seq, id, fence, have) end
  if seq > key.last then
    drop_held(key, seq)
    protocol.put_aside(key, {
      seq = seq, id = id, cause = CAUSE.FAILED, error = message, attempts = number, size = size, payload = payload,
    })
    key.last, key.attempts = seq, 0
    forgive(key)
    note_done(key, seq, id)
  else
    protocol.put_back(key, seq, message)
  end
  return protocol.go_on(key, fence, have)
end
