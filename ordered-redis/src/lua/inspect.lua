-- What is known of one key, with a page of its held events.
--
-- KEYS: k c h q e w
-- ARGV: key after_seq page given_time
-- Returns: nothing if the key is unknown, else last_seq, fence, attempts, phase, due, held_bytes, worker, whether its
-- lease is good, how many events it was granted, whether there is an error, the error, when it came first and last and
-- on which worker, then seq, id and time of each held event after after_seq, in order.
local STATES, CLAIMS, HELD, ORDER, TROUBLES, LEASES = unpack(KEYS)
local name, after, page, now = ARGV[1], tonumber(ARGV[2]), ARGV[3], time(tonumber(ARGV[4]))

local text = call('HGET', STATES, name)
if not text then return {} end
local key = unpack_state(text)

local worker, alive, granted = '', 0, 0
local claim = call('HGET', CLAIMS, name)
if claim then
  claim = cmsgpack.unpack(claim)
  worker, granted = claim[1], #claim - 2
  local expiry = call('HGET', LEASES, worker)
  alive = expiry and tonumber(expiry) > now and 1 or 0
end
local trouble = key.troubled and call('HGET', TROUBLES, name)
trouble = trouble and cmsgpack.unpack(trouble) or { '', 0, 0, '' }

local answer = {
  key.last, key.fence, key.attempts, key.phase, key.due, key.bytes, worker, alive, granted,
  key.troubled and 1 or 0, trouble[1], trouble[2], trouble[3], trouble[4],
}
if key.count > 0 then
  local prefix = order_prefix(name)
  local members = call('ZRANGEBYLEX', ORDER, '(' .. order_member(name, after), '[' .. prefix .. '9999999999999999',
    'LIMIT', 0, page)
  local fields = {}
  for place, member in ipairs(members) do fields[place] = held_field(name, tonumber(string.sub(member, #prefix + 1))) end
  for place, meta in ipairs(fetch(HELD, fields)) do
    local entry = meta and unpack_meta(meta)
    if entry then
      answer[#answer + 1] = tonumber(string.sub(members[place], #prefix + 1))
      answer[#answer + 1] = entry.id
      answer[#answer + 1] = entry.since
    end
  end
end
return answer
