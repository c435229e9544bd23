-- Part of apply: writes down what the batch has changed, with a few variadic commands.
do
local function collect_held(add, drop)
  for _, change in ipairs(held_changes) do
    local field, name, seq, was_stored = change[1], change[2], change[3], change[4]
    local entry = held_entries[field]
    if entry then
      add.payloads[#add.payloads + 1], add.payloads[#add.payloads + 2] = field, entry.payload
      add.metas[#add.metas + 1], add.metas[#add.metas + 2] = field, pack_meta(entry)
      add.order[#add.order + 1], add.order[#add.order + 2] = '0', order_member(name, seq)
    elseif was_stored then
      drop.fields[#drop.fields + 1] = field
      drop.order[#drop.order + 1] = order_member(name, seq)
    end
  end
end

-- A key is due while nobody has it, something of it may run and it is neither halted nor paused.
local function collect_due(key, add, drop)
  if key.count == 0 and key.was_held == 0 and key.replays == 0 and key.was_replays == 0 then return end
  local waits = not key.worker and key.phase ~= HALTED and key.paused == 0
    and (held_at(key, key.last + 1) or first_replay(key))
  if waits and (key.phase == BACKING_OFF or key.was_phase == BACKING_OFF) then
    local from = key.phase == BACKING_OFF and key.due or now
    add.later[#add.later + 1], add.later[#add.later + 2] = digits(from), key.name
  elseif waits then
    add.due[#add.due + 1], add.due[#add.due + 2] = digits(now), key.name
  elseif not key.was_claimed and (key.was_held > 0 or key.was_replays > 0) then
    drop.due[#drop.due + 1] = key.name
  end
end

local function collect_claim(key, add, drop)
  if key.worker then
    local claim = { key.worker, key.since }
    for place, seq in ipairs(key.granted) do claim[2 * place + 1], claim[2 * place + 2] = seq, key.ids[place] end
    add.claims[#add.claims + 1], add.claims[#add.claims + 2] = key.name, cmsgpack.pack(claim)
  elseif key.was_claimed then
    drop.claims[#drop.claims + 1] = key.name
  end
end

local function collect_trouble(key, add, drop)
  if key.troubled > 0 and key.trouble_changed then
    add.troubles[#add.troubles + 1], add.troubles[#add.troubles + 2] = key.name, cmsgpack.pack(key.trouble)
  elseif key.was_troubled > 0 and key.troubled == 0 then
    drop.troubles[#drop.troubles + 1] = key.name
  end
end

-- The lists by which operators and sweeps find what does not go on by itself.
local function collect_lists(key, add, drop)
  if key.gap ~= key.was_gap then
    if key.gap > 0 then
      add.gaps[#add.gaps + 1], add.gaps[#add.gaps + 2] = digits(key.gap), key.name
    else
      drop.gaps[#drop.gaps + 1] = key.name
    end
  end
  if key.phase == HALTED and key.was_phase ~= HALTED then
    add.halts[#add.halts + 1], add.halts[#add.halts + 2] = digits(now), key.name
  elseif key.phase ~= HALTED and key.was_phase == HALTED then
    drop.halts[#drop.halts + 1] = key.name
  end
  local noted = key.count > 0 or key.phase ~= OPEN or key.paused > 0 or key.dead > 0
  if noted and not key.was_noted then add.noted[#add.noted + 1] = key.name end
  if key.was_noted and not noted then drop.noted[#drop.noted + 1] = key.name end
end

local function collect_ranges(key, add, drop)
  if key.holes_changed and key.absent > 0 then
    add.absent[#add.absent + 1], add.absent[#add.absent + 2] = key.name, cmsgpack.pack(key.holes)
  elseif key.holes_changed then
    drop.absent[#drop.absent + 1] = key.name
  end
  if key.gone_changed and key.passed > 0 then
    add.passed[#add.passed + 1], add.passed[#add.passed + 2] = key.name, cmsgpack.pack(key.gone)
  elseif key.gone_changed then
    drop.passed[#drop.passed + 1] = key.name
  end
end

local function collect_keys(add, drop)
  for _, name in ipairs(names) do
    local key = keys[name]
    local text = pack_state(key)
    local changed = text ~= key.text
    if changed and text == fresh_text then
      drop.states[#drop.states + 1] = name
    elseif changed then
      add.states[#add.states + 1], add.states[#add.states + 2] = name, text
    end
    if key.claim_changed then collect_claim(key, add, drop) end
    if changed then collect_lists(key, add, drop) end
    if changed or key.claim_changed then collect_due(key, add, drop) end
    collect_trouble(key, add, drop)
    if key.holes_changed or key.gone_changed then collect_ranges(key, add, drop) end
  end
end

-- What was passed over is remembered for the time-to-live; the hash goes with the youngest that is in it.
local function save_passed(add, drop)
  send('HDEL', PASSED, drop)
  if #add == 0 then return end
  send('HSET', PASSED, add)
  local expires, before = now + dedup_ttl, call('HGET', PASSED, '')
  if not before or tonumber(before) < expires then
    call('HSET', PASSED, '', digits(expires))
    call('PEXPIREAT', PASSED, digits(expires))
  end
end

-- A server that is out of memory refuses the first write of a script if that write may take memory, and lets all
-- others pass (deny-oom, `scriptVerifyOOM` in src/script.c). So a batch that takes anything in begins with such a write,
-- and is refused whole; one that only settles what is at work begins with a removal, of nothing if need be, and goes
-- through: what is held drains, and its memory is freed.
local function takes_in()
  for _, command in ipairs(commands) do
    if command[1] <= 2 then return true end
  end
  return false
end

local function lists_of(...)
  local lists = {}
  for _, name in ipairs({ ... }) do lists[name] = {} end
  return lists
end

function protocol.save()
  local add = lists_of('states', 'claims', 'payloads', 'metas', 'order', 'troubles', 'due', 'later', 'dead', 'moved',
    'dead_order', 'gaps', 'halts', 'noted', 'absent', 'passed')
  local drop = lists_of('states', 'claims', 'fields', 'order', 'troubles', 'due', 'dead', 'dead_order', 'gaps', 'halts',
    'noted', 'absent', 'passed')
  collect_held(add, drop)
  collect_dead(add, drop)
  collect_keys(add, drop)
  if not takes_in() then call('HDEL', CLAIMS, '') end
  move_payloads(add.moved)
  send('HSET', PAYLOADS, add.payloads)
  send('HSET', STATES, add.states)
  send('HDEL', STATES, drop.states)
  send('HDEL', CLAIMS, drop.claims)
  send('HDEL', HELD, drop.fields)
  send('HDEL', PAYLOADS, drop.fields)
  send('ZREM', ORDER, drop.order)
  send('HDEL', TROUBLES, drop.troubles)
  send('ZREM', DUE, drop.due)
  send('HSET', CLAIMS, add.claims)
  send('HSET', HELD, add.metas)
  send('ZADD', ORDER, add.order)
  send('HSET', TROUBLES, add.troubles)
  send('ZADD', DUE, add.later)
  -- A key that was due already keeps its place in the line.
  for first = 1, #add.due, CHUNK do
    call('ZADD', DUE, 'NX', unpack(add.due, first, min(first + CHUNK - 1, #add.due)))
  end
  send('HDEL', DEAD, drop.dead)
  send('ZREM', DEAD_ORDER, drop.dead_order)
  send('HSET', DEAD, add.dead)
  send('ZADD', DEAD_ORDER, add.dead_order)
  send('ZREM', GAPS, drop.gaps)
  send('ZADD', GAPS, add.gaps)
  send('ZREM', HALTS, drop.halts)
  send('ZADD', HALTS, add.halts)
  send('SREM', NOTED, drop.noted)
  send('SADD', NOTED, add.noted)
  send('HDEL', ABSENT, drop.absent)
  send('HSET', ABSENT, add.absent)
  save_passed(add.passed, drop.passed)
  if #held_changes > 0 then
    call('HSET', TOTALS, 'events', digits(totals.events), 'bytes', digits(totals.bytes))
  end
  save_done()
end
end
