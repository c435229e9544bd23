-- Part of apply: writes down what was left has changed, with a few variadic commands. Here is what it always may write; what is
-- seldom there is in rest.lua.

-- A claim as it is written: what is granted from `head` on. What is packed at once is on Lua's stack twice, and that takes
-- some 8,000 values (LUAI_MAXCSTACK).
local function pack_claim(granted, head)
  local text, size, part = pack(granted[1], granted[2]), #granted, 2000
  if size - head < part then return text .. pack(unpack(granted, head)) end
  for first = head, size, part do
    local last = first + part - 1
    text = text .. pack(unpack(granted, first, last < size and last or size))
  end
  return text
end

local function save_batch()
  local states, fresh, claims, unclaimed, rest = {}, {}, {}, {}, {}
  for _, key in ipairs(all_keys) do
    local name = key.name
    local text, at_rest = pack_state(key)
    if text ~= key.text and text == fresh_text then
      fresh[#fresh + 1] = name
    elseif text ~= key.text then
      states[#states + 1], states[#states + 2] = name, text
    end
    if key.claim_changed and key.worker then
      claims[#claims + 1], claims[#claims + 2] = name, pack_claim(key.granted, key.head)
    elseif key.claim_changed and key.was_claimed then
      unclaimed[#unclaimed + 1] = name
    end
    key.changed = text ~= key.text or key.claim_changed
    if not at_rest or key.was ~= NOTHING then rest[#rest + 1] = key end
  end
  local has_rest = #rest > 0
  if has_rest then protocol.collect_rest(rest) end
  begin_writing()
  if has_rest then protocol.save_payloads() end
  send('HSET', AT.states, states)
  send('HDEL', AT.states, fresh)
  send('HDEL', AT.claims, unclaimed)
  send('HSET', AT.claims, claims)
  if has_rest then protocol.save_rest() end
  remember(records, hints)
end
