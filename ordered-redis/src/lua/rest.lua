-- Part of apply: writes down what is held, stands still or was put aside.
function rare.rest()
local add, drop = {}, {}

local function put(lists, name, ...)
  local list = lists[name]
  if not list then
    list = {}
    lists[name] = list
  end
  for _, value in ipairs({ ... }) do list[#list + 1] = value end
end

local function collect_held()
  for _, change in ipairs(held_changes) do
    local field, name, seq, was_stored = change[1], change[2], change[3], change[4]
    local entry = held_entries[field]
    if entry then
      put(add, 'payloads', field, entry.payload)
      put(add, 'metas', field, pack_meta(entry))
      put(add, 'order', '0', order_member(name, seq))
    elseif was_stored then
      put(drop, 'fields', field)
      put(drop, 'order', order_member(name, seq))
    end
  end
end

local function collect_dead()
  for _, change in ipairs(dead_changes) do
    local key, entry = change[1], change[2]
    local current = dead_entries[entry.field]
    local place = order_prefix(key.name) .. dead_place(entry.epoch, entry.seq)
    if current == entry then
      local meta = { entry.id, entry.cause, entry.error, entry.attempts, entry.at, entry.replay, entry.size }
      put(add, 'dead', 'm' .. entry.field, cmsgpack.pack(meta))
      if entry.payload then
        put(add, 'dead', 'p' .. entry.field, entry.payload)
      elseif entry.moved_from then
        put(add, 'moved', entry)
      end
      if not entry.stored then put(add, 'dead_order', '0', 'd' .. place) end
      if entry.replay == 1 and entry.was_replay ~= 1 then put(add, 'dead_order', '0', 'r' .. place) end
    elseif not current and entry.stored then
      put(drop, 'dead', 'm' .. entry.field, 'p' .. entry.field)
      put(drop, 'dead_order', 'd' .. place)
    end
    if entry.was_replay == 1 and not (current and current.replay == 1) then put(drop, 'dead_order', 'r' .. place) end
  end
end

-- A key is due while nobody has it, something of it may run and it is neither halted nor paused.
local function collect_due(key)
  local waits = not key.worker and key.phase ~= HALTED and key.paused == 0
    and (held_at(key, key.last + 1) or first_replay(key))
  if waits and (key.phase == BACKING_OFF or key.was.phase == BACKING_OFF) then
    put(add, 'later', digits(key.phase == BACKING_OFF and key.due or now), key.name)
  elseif waits then
    put(add, 'due', digits(now), key.name)
  elseif not key.was_claimed and (key.was.count > 0 or key.was.replays > 0) then
    put(drop, 'due', key.name)
  end
end

local function collect_trouble(key)
  if key.troubled > 0 and key.trouble_changed then
    put(add, 'troubles', key.name, cmsgpack.pack(key.trouble))
  elseif key.was.troubled > 0 and key.troubled == 0 then
    put(drop, 'troubles', key.name)
  end
end

-- The lists by which operators and sweeps find what does not go on by itself.
local function collect_lists(key)
  if key.gap ~= key.was.gap and key.gap > 0 then put(add, 'gaps', digits(key.gap), key.name) end
  if key.gap == 0 and key.was.gap > 0 then put(drop, 'gaps', key.name) end
  if key.phase == HALTED and key.was.phase ~= HALTED then put(add, 'halts', digits(now), key.name) end
  if key.phase ~= HALTED and key.was.phase == HALTED then put(drop, 'halts', key.name) end
  local noted = is_noted(key)
  if noted and not key.was.noted then put(add, 'noted', key.name) end
  if key.was.noted and not noted then put(drop, 'noted', key.name) end
end

local function collect_ranges(key)
  if key.holes_changed and key.absent > 0 then
    put(add, 'absent', key.name, cmsgpack.pack(key.holes))
  elseif key.holes_changed then
    put(drop, 'absent', key.name)
  end
  if key.gone_changed and key.passed > 0 then
    put(add, 'passed', key.name, cmsgpack.pack(key.gone))
  elseif key.gone_changed then
    put(drop, 'passed', key.name)
  end
end

function protocol.collect_rest(rest)
  collect_held()
  collect_dead()
  for _, key in ipairs(rest) do
    collect_lists(key)
    if key.changed then collect_due(key) end
    collect_trouble(key)
    collect_ranges(key)
  end
end

-- Payloads that go from the held events to those that were put aside, a few at a time: together they may be large.
local function move_payloads(moved)
  for first = 1, #moved, 50 do
    local fields, written = {}, {}
    for place = first, min(first + 49, #moved) do fields[#fields + 1] = moved[place].moved_from end
    for place, payload in ipairs(fetch(PAYLOADS, fields)) do
      written[2 * place - 1], written[2 * place] = 'p' .. moved[first + place - 1].field, payload or ''
    end
    send('HSET', DEAD, written)
  end
end

function protocol.save_payloads()
  move_payloads(add.moved or {})
  send('HSET', PAYLOADS, add.payloads or {})
end

-- What was passed over is remembered for the time-to-live; the hash goes with the youngest that is in it.
local function save_passed()
  send('HDEL', PASSED, drop.passed or {})
  if not add.passed then return end
  send('HSET', PASSED, add.passed)
  local expires, before = now + dedup_ttl, call('HGET', PASSED, '')
  if not before or tonumber(before) < expires then
    call('HSET', PASSED, '', digits(expires))
    call('PEXPIREAT', PASSED, digits(expires))
  end
end

function protocol.save_rest()
  local function write(command, structure, list)
    if list then send(command, structure, list) end
  end
  write('HDEL', HELD, drop.fields)
  write('HDEL', PAYLOADS, drop.fields)
  write('ZREM', ORDER, drop.order)
  write('HDEL', TROUBLES, drop.troubles)
  write('ZREM', DUE, drop.due)
  write('HSET', HELD, add.metas)
  write('ZADD', ORDER, add.order)
  write('HSET', TROUBLES, add.troubles)
  write('ZADD', DUE, add.later)
  -- A key that was due already keeps its place in the line.
  local due = add.due or {}
  for first = 1, #due, CHUNK do
    call('ZADD', DUE, 'NX', unpack(due, first, min(first + CHUNK - 1, #due)))
  end
  write('HDEL', DEAD, drop.dead)
  write('ZREM', DEAD_ORDER, drop.dead_order)
  write('HSET', DEAD, add.dead)
  write('ZADD', DEAD_ORDER, add.dead_order)
  write('ZREM', GAPS, drop.gaps)
  write('ZADD', GAPS, add.gaps)
  write('ZREM', HALTS, drop.halts)
  write('ZADD', HALTS, add.halts)
  write('SREM', NOTED, drop.noted)
  write('SADD', NOTED, add.noted)
  write('HDEL', ABSENT, drop.absent)
  write('HSET', ABSENT, add.absent)
  save_passed()
  if #held_changes > 0 then
    call('HSET', TOTALS, 'events', digits(totals.events), 'bytes', digits(totals.bytes))
  end
end
end
