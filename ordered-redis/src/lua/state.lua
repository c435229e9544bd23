-- Part of apply: the keys, claims, leases and troubles that the batch touches, and the bucket's totals, in memory.
-- The structures of the bucket; the ring of what is remembered is in done.lua.
local AT = {
  states = KEYS[1], claims = KEYS[2], held = KEYS[3], payloads = KEYS[4], order = KEYS[5], troubles = KEYS[6],
  leases = KEYS[7], totals = KEYS[8], due = KEYS[9], absent = KEYS[15], passed = KEYS[16], dead = KEYS[17],
  dead_order = KEYS[18], gaps = KEYS[19], halts = KEYS[20], noted = KEYS[21],
  log = KEYS[22], calls = KEYS[23],
}
local worker, given
local policy = {}
worker, given, policy.first_seq, policy.max_attempts, policy.dedup_ttl, policy.lane_depth, policy.next_events,
  policy.next_bytes, policy.key_events, policy.key_bytes, policy.bucket_events, policy.bucket_bytes, policy.on_gap,
  policy.gap_after, policy.gap_text, policy.is_dry, policy.said, policy.run, policy.call = unpack(cmsgpack.unpack(ARGV[1]))
local commands = cmsgpack.unpack(ARGV[2])
local now = time(given)

local keys, names = {}, {}
local alive = {}
local fresh_text = digits(policy.first_seq - 1) .. ' 0'

-- What a key was when the batch began.
local NOTHING = { count = 0, troubled = 0, gap = 0, phase = OPEN, dead = 0, replays = 0, noted = false }

-- Whether the key is in the list of those that are not idle.
local function is_noted(key)
  return key.count > 0 or key.phase ~= OPEN or key.paused > 0 or key.dead > 0
end

local function load_key(name, text, claim)
  local key = text and unpack_state(text) or fresh_state(policy.first_seq - 1)
  key.name, key.text = name, text or fresh_text
  key.was = key.at_rest and NOTHING or {
    count = key.count, troubled = key.troubled, gap = key.gap, phase = key.phase, dead = key.dead, replays = key.replays,
    noted = is_noted(key),
  }
  if claim then
    local list = cmsgpack.unpack(claim)
    key.worker, key.since, key.granted, key.ids, key.was_claimed = list[1], list[2], {}, {}, true
    for place = 3, #list, 2 do
      key.granted[#key.granted + 1], key.ids[#key.ids + 1] = list[place], list[place + 1]
    end
  end
  return key
end

-- Reads the state of every key of the batch with a few commands.
local function load_keys()
  for _, command in ipairs(commands) do
    local name = command[2]
    if not keys[name] then
      keys[name] = true
      names[#names + 1] = name
    end
  end
  local texts, claims = fetch(AT.states, names), fetch(AT.claims, names)
  local others = {}
  for place, name in ipairs(names) do
    local key = load_key(name, texts[place], claims[place])
    keys[name] = key
    if key.worker and key.worker ~= worker and alive[key.worker] == nil then
      alive[key.worker] = false
      others[#others + 1] = key.worker
    end
  end
  for place, expiry in ipairs(fetch(AT.leases, others)) do
    alive[others[place]] = expiry and tonumber(expiry) > now
  end
end

local function start_claim(key, seq, id)
  key.worker, key.since, key.granted, key.ids, key.claim_changed = worker, now, { seq }, { id }, true
end

local function drop_claim(key)
  if not key.worker then return end
  key.worker, key.since, key.granted, key.ids, key.claim_changed = nil, nil, nil, nil, true
end

-- Ends whatever claim there is, so that its worker can change nothing any more.
local function seize(key)
  drop_claim(key)
  key.fence = key.fence + 1
end

local function grant(key, seq, id)
  local place = #key.granted + 1
  key.granted[place], key.ids[place] = seq, id
  key.claim_changed = true
end

-- The bucket's totals of held events and bytes; read only where something is or becomes held.
local totals
local function bucket()
  if not totals then
    local values = call('HMGET', AT.totals, 'events', 'bytes')
    totals = { events = tonumber(values[1] or 0), bytes = tonumber(values[2] or 0) }
  end
  return totals
end

local group_paused
local function is_paused(key)
  if key.paused > 0 then return true end
  if group_paused == nil then group_paused = call('HGET', AT.totals, 'paused') == '1' end
  return group_paused
end

-- Why the event at the head is not done: error, first time, last time, worker.
local function trouble_of(key)
  if not key.trouble and key.troubled > 0 then
    local stored = call('HGET', AT.troubles, key.name)
    key.trouble = stored and cmsgpack.unpack(stored)
  end
  return key.trouble
end

local function blame(key, message, whom)
  local before = trouble_of(key)
  key.trouble, key.troubled, key.trouble_changed = { message, before and before[2] or now, now, whom or worker }, 1, true
end

local function forgive(key)
  key.trouble, key.troubled = nil, 0
end

local function open_phase(key)
  key.phase, key.due = OPEN, 0
end

-- The last seq beyond key.last that is granted; key.last where none is.
local function granted_upto(key)
  local granted = key.granted
  return granted and granted[1] and max(granted[#granted], key.last) or key.last
end

local function granted_id(key, seq)
  if not key.granted or seq > granted_upto(key) then return nil end
  for place, granted in ipairs(key.granted) do
    if granted == seq then return key.ids[place] end
  end
end
