-- What is known of one key.
--
-- KEYS: k c h q e w m a x xq
-- ARGV: key most given_time
-- Returns: nothing if the key is unknown, else one flat list: the time, whether the group is paused, the numbers of the
-- state (see codec.lua); how many events are granted, and if any the worker, since when, until when its lease is good (0
-- if there is none) and their seqs; if the head is in trouble its error, when it came first and last and on which worker;
-- then the ranges that are absent, at most `most` held events and as many that were put aside, each after their number.
local STATES, CLAIMS, HELD, ORDER, TROUBLES, LEASES, TOTALS, ABSENT, DEAD, DEAD_ORDER = unpack(KEYS)
local name, most, now = ARGV[1], tonumber(ARGV[2]), time(tonumber(ARGV[3]))

local text = call('HGET', STATES, name)
if not text then return {} end
local key = unpack_state(text)
local answer = { now, call('HGET', TOTALS, 'paused') == '1' and 1 or 0 }

local function push(...)
  for _, value in ipairs({ ... }) do answer[#answer + 1] = value end
end

for _, field in ipairs(FIELDS) do push(key[field]) end

local claim = call('HGET', CLAIMS, name)
claim = claim and { decode(claim) } or {}
push(max(#claim - 2, 0) / 2)
if claim[1] then
  push(claim[1], tonumber(string.sub(claim[2], 1, 16)), tonumber(call('HGET', LEASES, claim[1]) or 0))
  for place = 3, #claim, 2 do push(claim[place]) end
end

local trouble = key.troubled > 0 and call('HGET', TROUBLES, name)
if key.troubled > 0 then push(unpack(trouble and decode(trouble) or { '', 0, 0, '' })) end

local absent = key.absent > 0 and call('HGET', ABSENT, name)
absent = absent and decode(absent) or {}
push(#absent / 2)
for _, number in ipairs(absent) do push(number) end

local first, last = places.sortable(0), places.sortable(2 ^ 53)
local seqs, fields = places.range_of(ORDER, key.count > 0, places.order_prefix(name), first, last, most, {}), {}
for place, seq in ipairs(seqs) do fields[place] = held_field(name, places.seq_of(seq)) end
push(#seqs)
for place, meta in ipairs(fetch(HELD, fields)) do
  local entry = meta and unpack_meta(meta) or { id = '    ?', since = 0, size = 0 }
  push(places.seq_of(seqs[place]), entry.id, entry.since, entry.size)
end

local prefix = 'd' .. places.order_prefix(name)
local aside = places.range_of(DEAD_ORDER, key.dead > 0, prefix, first .. first, last .. last, most, {})
fields = {}
for place, text in ipairs(aside) do
  fields[place] = 'm' .. places.dead_field(name, tonumber(string.sub(text, 1, 16)), places.seq_of(text))
end
push(#aside)
for place, meta in ipairs(fetch(DEAD, fields)) do
  local entry = meta and decode(meta) or { '    ?', 1, '', 0, 0, 0, 0 }
  push(tonumber(string.sub(aside[place], 1, 16)), places.seq_of(aside[place]), unpack(entry, 1, 6))
end
return answer
