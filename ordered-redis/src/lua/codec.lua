-- Part of every operation: how the state of a key is written down, and the time.
local call, unpack, floor, max, min = redis.call, unpack, math.floor, math.max, math.min

-- Names stand in tables, and what is done once stands in the open, not in functions: each call of a script makes its
-- functions anew, and in Lua 5.1 that costs with the square of the variables that they capture.
local PHASE = { OPEN = 0, BACKING_OFF = 1, HALTED = 2 }

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

-- "last_seq fence [attempts phase due held_count held_bytes troubled]": zeros at the end are left out, so that a key
-- at rest is two numbers.
local function pack_state(key)
  local text = digits(key.last) .. ' ' .. digits(key.fence)
  local at_rest = key.phase == PHASE.OPEN and key.count == 0 and not key.troubled
  if at_rest then
    if key.attempts == 0 then return text end
    return text .. ' ' .. digits(key.attempts)
  end
  return table.concat({ text, digits(key.attempts), key.phase, digits(key.due), digits(key.count), digits(key.bytes),
    key.troubled and 1 or 0 }, ' ')
end

local function unpack_state(text)
  local last, fence, rest = string.match(text, '^(%d+) (%d+)(.*)$')
  local key = {
    last = tonumber(last), fence = tonumber(fence), attempts = 0, phase = PHASE.OPEN, due = 0, count = 0, bytes = 0,
    troubled = false,
  }
  if rest ~= '' then
    local attempts, phase, due, count, bytes, troubled =
      string.match(rest, '^ (%d+) ?(%d*) ?(%d*) ?(%d*) ?(%d*) ?(%d*)$')
    key.attempts, key.phase, key.due = tonumber(attempts), tonumber(phase) or PHASE.OPEN, tonumber(due) or 0
    key.count, key.bytes, key.troubled = tonumber(count) or 0, tonumber(bytes) or 0, troubled == '1'
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

-- Members of one key have one prefix that no other key's have, and sort by seq.
local function order_prefix(name)
  return #name .. ':' .. name
end

local function order_member(name, seq)
  return order_prefix(name) .. format('%016.0f', seq)
end
