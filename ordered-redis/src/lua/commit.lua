-- Part of apply: an event is done, and what may run next.

-- The held events from a seq on, read ahead where they follow one another.
local function read_ahead(key, seq, upto, count)
  if key.absent > 0 then return end
  local most = max(upto - seq + 1, 0) + min(max(policy.lane_depth - count, 0), key.count)
  load_range(key, seq, min(seq + min(most, policy.next_events) - 1, MAX_SEQ))
end

-- The events from the store that the worker may run: a replay, and what is held beyond `have`. Grants those that are
-- not granted yet.
function protocol.next_of(key, have)
  local found, bytes = {}, 0
  if not key.worker then return found end
  local first, upto = grants.front(key), grants.upto(key)
  local replay
  if not first then
    replay = first_replay(key)
    if replay then grant(key, replay.seq, replay.id) end
  elseif first <= key.last then
    replay = dead_at(key, first)
  end
  if replay then found[1], bytes = replay, replay.size end
  if key.count == 0 then return found end
  local count, seq = grants.count(key), following(key, min(max(have, key.last), upto))
  read_ahead(key, seq, upto, count)
  while seq <= upto or count < policy.lane_depth do
    local entry = held_at(key, seq)
    if entry then
      bytes = bytes + entry.size
      if #found >= policy.next_events or (bytes > policy.next_bytes and #found > 0) then break end
      if seq > upto then
        count = count + 1
        grant(key, seq, entry.id)
      end
      found[#found + 1] = entry
    elseif seq > upto then
      break
    end
    seq = following(key, seq)
  end
  return found
end

local function committed(key, fence, have)
  local found = protocol.next_of(key, have)
  return { SAY.COMMITTED, owns(key, fence) and grants.front(key) or 0, next = found, key = key }
end

-- The front of the claim is done with: the claim goes on, or ends.
function protocol.go_on(key, fence, have)
  key.head = key.head + 2
  key.claim_changed = true
  if is_paused(key) then drop_claim(key) end
  pass_absent(key)
  local found = protocol.next_of(key, have)
  if key.worker and not grants.front(key) then drop_claim(key) end
  begin_front(key)
  return { SAY.COMMITTED, owns(key, fence) and grants.front(key) or 0, next = found, key = key }
end

function protocol.commit(key, seq, id, fence, have)
  if owns_front(key, seq, id, fence) then
    if seq > key.last then
      drop_held(key, seq)
      key.last, key.attempts = seq, 0
      forgive(key)
    else
      local entry = dead_at(key, seq)
      if entry then protocol.drop_dead(key, entry) end
    end
    note_done(key, seq, id)
    return protocol.go_on(key, fence, have)
  end
  if fence ~= key.fence or seq > key.last then return { SAY.FENCED } end
  return committed(key, fence, have)
end
