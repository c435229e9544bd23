-- Part of apply: the keys, claims, leases and troubles that what is left touches, and the bucket's totals, in memory.
local keys, all_keys = {}, {} -- by the place of the name, and as they come
local alive = {}
local fresh_text = pack(policy.first_seq - 1, 0)

-- What a key was when the batch began.
local NOTHING = { count = 0, troubled = 0, gap = 0, phase = OPEN, dead = 0, replays = 0, noted = false }

-- Whether the key is in the list of those that are not idle.
local function is_noted(key)
  return key.count > 0 or key.phase ~= OPEN or key.paused > 0 or key.dead > 0
end

local function load_key(name, text, claim)
  local key = text and unpack_state(text) or fresh_state(policy.first_seq - 1)
  key.name, key.text, key.held, key.done_ids, key.done_seqs = name, text or fresh_text, {}, {}, {}
  key.was = key.at_rest and NOTHING or {
    count = key.count, troubled = key.troubled, gap = key.gap, phase = key.phase, dead = key.dead, replays = key.replays,
    noted = is_noted(key),
  }
  if claim then
    local list = { decode(claim) }
    key.worker, key.granted, key.was_claimed = list[1], list, true
  end
  return key
end

-- The keys that commands are left for, as they are by now.
local function load_keys()
  local others = {}
  for _, at in ipairs(left) do
    local place = asked[at + 1]
    if not keys[place] then
      local key = load_key(names[place], texts[place], claims[place])
      keys[place], all_keys[#all_keys + 1] = key, key
      if key.worker and key.worker ~= worker and alive[key.worker] == nil then
        alive[key.worker] = false
        others[#others + 1] = key.worker
      end
    end
  end
  for place, expiry in ipairs(fetch(AT.leases, others)) do
    alive[others[place]] = expiry and tonumber(expiry) > now
  end
end

local function start_claim(key, seq, id)
  key.worker, key.head, key.claim_changed = worker, 3, true
  key.granted = { worker, places.sortable(now) .. ring_tag, seq, id }
  hint(key, seq, id)
end

local function drop_claim(key)
  if not key.worker then return end
  key.worker, key.granted, key.claim_changed = nil, nil, true
end

-- Ends whatever claim there is, so that its worker can change nothing any more.
local function seize(key)
  drop_claim(key)
  key.fence = key.fence + 1
end

local function grant(key, seq, id)
  local granted = key.granted
  local size = #granted
  granted[size + 1], granted[size + 2], key.claim_changed = seq, id, true
  -- What is granted in two turns of the ring is noted in neither for sure.
  if sub(granted[2], 17) ~= ring_tag then granted[2] = sub(granted[2], 1, 16) .. NO_RING end
  hint(key, seq, id)
end

-- The bucket's totals of held events and bytes; read only where something is or becomes held.
local totals
local function bucket()
  if not totals then
    local values = call('HMGET', AT.totals, 'events', 'bytes')
    totals = { events = tonumber(values[1] or 0), bytes = tonumber(values[2] or 0) }
    totals.were_none = totals.events == 0
  end
  return totals
end

local function is_paused(key)
  return is_group_paused or key.paused > 0
end

-- Why the event at the head is not done: error, first time, last time, worker.
local function trouble_of(key)
  if not key.trouble and key.troubled > 0 then
    local stored = call('HGET', AT.troubles, key.name)
    key.trouble = stored and decode(stored)
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

-- What is granted stands in `granted` as it is written down (worker, since, then seq and id of each event), from `head` on:
-- what is done with is passed over, and cut off when the claim is written.
local grants = {}

function grants.front(key)
  return key.granted and key.granted[key.head]
end

function grants.is_front(key, seq, id)
  return key.granted[key.head] == seq and key.granted[key.head + 1] == id
end

function grants.count(key)
  return (#key.granted - key.head + 1) / 2
end

-- The last seq beyond key.last that is granted; key.last where none is.
function grants.upto(key)
  local granted = key.granted
  return granted and granted[key.head] and max(granted[#granted - 1], key.last) or key.last
end

function grants.id_of(key, seq)
  if not key.granted or seq > grants.upto(key) then return nil end
  for place = key.head, #key.granted, 2 do
    if key.granted[place] == seq then return key.granted[place + 1] end
  end
end
