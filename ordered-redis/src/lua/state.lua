-- Part of apply: the keys, claims, leases and troubles that the batch touches, and the bucket's totals, in memory.
local STATES, CLAIMS, HELD, PAYLOADS, ORDER, TROUBLES, LEASES, TOTALS, DUE = unpack(KEYS, 1, 9)

local worker, given, first_seq, max_attempts, dedup_ttl, lane_depth, next_events, next_bytes,
  key_events, key_bytes, bucket_events, bucket_bytes = unpack(cmsgpack.unpack(ARGV[1]))
local commands = cmsgpack.unpack(ARGV[2])
local now = time(given)

local keys, names = {}, {}
local alive = {}

-- Reads the state of every key of the batch with a few commands.
do
  for _, command in ipairs(commands) do
    local name = command[2]
    if not keys[name] then
      keys[name] = true
      names[#names + 1] = name
    end
  end
  local texts, claims, others = fetch(STATES, names), fetch(CLAIMS, names), {}
  for place, name in ipairs(names) do
    local text, claim = texts[place], claims[place]
    local key = unpack_state(text or digits(first_seq - 1) .. ' 0')
    key.name, key.text, key.was_held, key.was_troubled = name, text or pack_state(key), key.count, key.troubled
    keys[name] = key
    if claim then
      local granted = cmsgpack.unpack(claim)
      key.worker, key.since, key.granted, key.was_claimed = granted[1], granted[2], granted, true
      table.remove(granted, 1)
      table.remove(granted, 1)
      if key.worker ~= worker and alive[key.worker] == nil then
        alive[key.worker] = false
        others[#others + 1] = key.worker
      end
    end
  end
  for place, expiry in ipairs(fetch(LEASES, others)) do
    alive[others[place]] = expiry and tonumber(expiry) > now
  end
end

local function set_claim(key, granted)
  key.worker, key.since, key.granted = granted and worker, granted and now, granted
  key.claim_changed = true
end

local function grant(key, id)
  key.granted[#key.granted + 1] = id
  key.claim_changed = true
end

-- The bucket's totals of held events and bytes; read only where something is or becomes held.
local totals
local function bucket()
  if not totals then
    local values = call('HMGET', TOTALS, 'events', 'bytes')
    totals = { events = tonumber(values[1] or 0), bytes = tonumber(values[2] or 0) }
  end
  return totals
end

-- Why the event at the head is not done: error, first time, last time, worker.
local function blame(key, message)
  local first_at = now
  if key.trouble then
    first_at = key.trouble[2]
  elseif key.troubled then
    local stored = call('HGET', TROUBLES, key.name)
    if stored then first_at = cmsgpack.unpack(stored)[2] end
  end
  key.trouble, key.troubled = { message, first_at, now, worker }, true
end
