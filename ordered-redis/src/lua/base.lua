-- Part of every operation: numbers as text, the time, and commands with any number of arguments.
local call, unpack, floor, max, min = redis.call, unpack, math.floor, math.max, math.min
local pack, decode = cmsgpack.pack, cmsgpack.unpack

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

-- HMGET of any number of fields: all of the list, or the first of it.
local function fetch(hash, fields, count)
  count = count or #fields
  if count == 0 then return {} end
  if count <= CHUNK then return call('HMGET', hash, unpack(fields, 1, count)) end
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
