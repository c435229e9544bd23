-- Part of apply: writes down what is held, stands still or was put aside.
local add, drop = {}, {}

local function put(lists, name, first, second)
  local list = lists[name]
  if not list then
    list = {}
    lists[name] = list
  end
  list[#list + 1] = first
  list[#list + 1] = second
end

local function collect_held()
  for _, change in ipairs(held_changes) do
    local key, seq, was_stored = change[1], change[2], change[3]
    local entry = key.held[seq]
    if entry then
      local field = held_field(key.name, seq)
      put(add, 'payloads', field, entry.payload)
      put(add, 'metas', field, pack_meta(entry))
      put(add, 'order', '0', places.order_member(key.name, seq))
    elseif was_stored then
      put(drop, 'fields', held_field(key.name, seq))
      put(drop, 'order', places.order_member(key.name, seq))
    end
  end
end

local function collect_dead()
  for _, change in ipairs(dead_changes) do
    local key, entry = change[1], change[2]
    local current = dead_entries[entry.field]
    local place = places.order_prefix(key.name) .. places.dead_place(entry.epoch, entry.seq)
    if current == entry then
      local meta = { entry.id, entry.cause, entry.error, entry.attempts, entry.at, entry.replay, entry.size }
      put(add, 'dead', 'm' .. entry.field, pack(meta))
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
    put(add, 'troubles', key.name, pack(key.trouble))
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
    put(add, 'absent', key.name, pack(key.holes))
  elseif key.holes_changed then
    put(drop, 'absent', key.name)
  end
  if key.gone_changed and key.passed > 0 then
    put(add, 'passed', key.name, pack(key.gone))
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
    for place, payload in ipairs(fetch(AT.payloads, fields)) do
      written[2 * place - 1], written[2 * place] = 'p' .. moved[first + place - 1].field, payload or ''
    end
    send('HSET', AT.dead, written)
  end
end

function protocol.save_payloads()
  move_payloads(add.moved or {})
  send('HSET', AT.payloads, add.payloads or {})
end

-- What was passed over is remembered for the time-to-live; the hash goes with the youngest that is in it.
local function save_passed()
  send('HDEL', AT.passed, drop.passed or {})
  if not add.passed then return end
  send('HSET', AT.passed, add.passed)
  local expires, before = now + policy.dedup_ttl, call('HGET', AT.passed, '')
  if not before or tonumber(before) < expires then
    call('HSET', AT.passed, '', digits(expires))
    call('PEXPIREAT', AT.passed, digits(expires))
  end
end

function protocol.save_rest()
  local function write(command, structure, list)
    if list then send(command, structure, list) end
  end
  write('HDEL', AT.held, drop.fields)
  write('HDEL', AT.payloads, drop.fields)
  write('ZREM', AT.order, drop.order)
  write('HDEL', AT.troubles, drop.troubles)
  write('ZREM', AT.due, drop.due)
  write('HSET', AT.held, add.metas)
  write('ZADD', AT.order, add.order)
  write('HSET', AT.troubles, add.troubles)
  write('ZADD', AT.due, add.later)
  -- A key that was due already keeps its place in the line.
  local due = add.due or {}
  for first = 1, #due, CHUNK do
    call('ZADD', AT.due, 'NX', unpack(due, first, min(first + CHUNK - 1, #due)))
  end
  write('HDEL', AT.dead, drop.dead)
  write('ZREM', AT.dead_order, drop.dead_order)
  write('HSET', AT.dead, add.dead)
  write('ZADD', AT.dead_order, add.dead_order)
  write('ZREM', AT.gaps, drop.gaps)
  write('ZADD', AT.gaps, add.gaps)
  write('ZREM', AT.halts, drop.halts)
  write('ZADD', AT.halts, add.halts)
  write('SREM', AT.noted, drop.noted)
  write('SADD', AT.noted, add.noted)
  write('HDEL', AT.absent, drop.absent)
  write('HSET', AT.absent, add.absent)
  save_passed()
  if totals and totals.were_none and add.metas then make_table(AT.held) end
  if #held_changes > 0 then
    call('HSET', AT.totals, 'events', digits(totals.events), 'bytes', digits(totals.bytes))
  end
end
