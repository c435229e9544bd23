-- Part of every operation: how the state of a key is written down, and the time.
local call, unpack, floor, max, min = redis.call, unpack, math.floor, math.max, math.min

local OPEN, BACKING_OFF, HALTED = 0, 1, 2

-- A whole number as text. Lua has doubles, exact up to 2^53; tostring() would print the large ones as 9.0072e+15. %d is
-- the faster way where C's long has 64 bits.
local format = string.format
local WHOLE = format('%d', 2 ^ 40) == '1099511627776' and '%d' or '%.0f'
local function digits(number)
  return format(WHOLE, number)
end

-- The server's time in milliseconds, unless a test brings its own.
local function time(given)
  if given > 0 then return given end
  local parts = call('TIME')
  return tonumber(parts[1]) * 1000 + floor(tonumber(parts[2]) / 1000)
end

-- unpack() puts at most some 8000 values on Lua's stack (LUAI_MAXCSTACK). Even, so that pairs stay together.
local CHUNK = 4000

-- HMGET of any number of fields.
local function fetch(hash, fields)
  local count = #fields
  if count == 0 then return {} end
  if count <= CHUNK then return call('HMGET', hash, unpack(fields)) end
  local values = {}
  for first = 1, count, CHUNK do
    local last = min(first + CHUNK - 1, count)
    local part = call('HMGET', hash, unpack(fields, first, last))
    for place = first, last do values[place] = part[place - first + 1] end
  end
  return values
end

-- A variadic command with any number of arguments.
local function send(command, structure, arguments)
  for first = 1, #arguments, CHUNK do
    call(command, structure, unpack(arguments, first, min(first + CHUNK - 1, #arguments)))
  end
end

-- The numbers of a state, in the order in which they are written.
local FIELDS = {
  'last', 'fence', 'attempts', 'phase', 'due', 'count', 'bytes', 'troubled', 'epoch', 'paused', 'gap', 'dead', 'replays',
  'absent', 'passed',
}

-- What a key is where nothing else is said, so that one at rest is a small table.
local DEFAULTS = { __index = {
  attempts = 0, phase = OPEN, due = 0, count = 0, bytes = 0, troubled = 0, epoch = 0, paused = 0, gap = 0, dead = 0,
  replays = 0, absent = 0, passed = 0,
} }

-- Zeros at the end are left out, so that a key at rest is two numbers.
local function pack_state(key)
  local text = digits(key.last) .. ' ' .. digits(key.fence)
  -- What is not looked at here is not there without one of these.
  local at_rest = key.phase + key.count + key.troubled + key.epoch + key.paused + key.dead + key.absent + key.passed == 0
  if at_rest then
    if key.attempts == 0 then return text, true end
    return text .. ' ' .. digits(key.attempts), true
  end
  local filled = #FIELDS
  while filled > 2 and key[FIELDS[filled]] == 0 do filled = filled - 1 end
  for place = 3, filled do text = text .. ' ' .. digits(key[FIELDS[place]]) end
  return text
end

local function fresh_state(last)
  return setmetatable({ last = last, fence = 0, at_rest = true }, DEFAULTS)
end

local function unpack_state(text)
  local last, fence, attempts = string.match(text, '^(%d+) (%d+) ?(%d*)$')
  if last then
    return setmetatable({
      last = tonumber(last), fence = tonumber(fence), attempts = attempts ~= '' and tonumber(attempts) or 0,
      at_rest = true,
    }, DEFAULTS)
  end
  local key, place = fresh_state(0), 0
  key.at_rest = false
  for number in string.gmatch(text, '%d+') do
    place = place + 1
    key[FIELDS[place]] = tonumber(number)
  end
  return key
end

-- What is known of a held event beside its payload: "since size id". An id is any text.
local function pack_meta(entry)
  return digits(entry.since) .. ' ' .. digits(entry.size) .. ' ' .. entry.id
end

local function unpack_meta(text)
  local since, size, id = string.match(text, '^(%d+) (%d+) (.*)$')
  return { since = tonumber(since), size = tonumber(size), id = id }
end

-- A seq consists of digits, so the first colon ends it, whatever the key is.
local function held_field(name, seq)
  return digits(seq) .. ':' .. name
end

-- Where held events and such as were put aside are listed in order.
local places = {}

-- Members of one key have one prefix that no other key's have, and sort by seq.
function places.order_prefix(name)
  return #name .. ':' .. name
end

-- A number that sorts as text.
function places.sortable(number)
  return string.format('%016.0f', number)
end

function places.order_member(name, seq)
  return places.order_prefix(name) .. places.sortable(seq)
end

-- The place of an event that was put aside: as part of a field, and sortable.
function places.dead_field(name, epoch, seq)
  return digits(epoch) .. ':' .. held_field(name, seq)
end

function places.dead_place(epoch, seq)
  return places.sortable(epoch) .. places.sortable(seq)
end

function places.seq_of(place)
  return tonumber(string.sub(place, -16))
end

-- The latest numbering before this one of which the event with this seq was put aside. `changes` as below.
function places.older_epoch(index, is_stored, name, epoch, seq, changes)
  local prefix, from, to = 'd' .. places.order_prefix(name), places.dead_place(0, 0), places.dead_place(epoch - 1, 2 ^ 53)
  local found = places.range_of(index, is_stored, prefix, from, to, 10000, changes)
  for place = #found, 1, -1 do
    if places.seq_of(found[place]) == seq then return tonumber(string.sub(found[place], 1, 16)) end
  end
end

-- The members of a sorted set that begin with the prefix and lie between two places, without the prefix, in order.
-- `changes` says which were added (true) or removed (false) and are not written yet.
function places.range_of(index, is_stored, prefix, from, to, most, changes)
  local found = {}
  local start, stop, page = '[' .. prefix .. from, '[' .. prefix .. to, most + 16
  while is_stored and #found < most do
    local members = call('ZRANGEBYLEX', index, start, stop, 'LIMIT', 0, page)
    for _, member in ipairs(members) do
      local place = string.sub(member, #prefix + 1)
      if changes[place] == nil then found[#found + 1] = place end
    end
    if #members < page then break end
    start = '(' .. members[#members]
  end
  for place, is_there in pairs(changes) do
    if is_there and place >= from and place <= to then found[#found + 1] = place end
  end
  table.sort(found)
  for place = #found, most + 1, -1 do found[place] = nil end
  return found
end
