-- Part of apply: what is asked, by whom and by which rules, and where the structures of the bucket are.
local AT = {
  states = KEYS[1], claims = KEYS[2], held = KEYS[3], payloads = KEYS[4], order = KEYS[5], troubles = KEYS[6],
  leases = KEYS[7], totals = KEYS[8], due = KEYS[9], absent = KEYS[13], passed = KEYS[14], dead = KEYS[15],
  dead_order = KEYS[16], gaps = KEYS[17], halts = KEYS[18], noted = KEYS[19], log = KEYS[20], calls = KEYS[21],
}
local worker, given
local policy = {}
worker, given, policy.first_seq, policy.max_attempts, policy.dedup_ttl, policy.lane_depth, policy.next_events,
  policy.next_bytes, policy.key_events, policy.key_bytes, policy.bucket_events, policy.bucket_bytes, policy.on_gap,
  policy.gap_after, policy.gap_text, policy.is_dry, policy.said, policy.run, policy.call = decode(ARGV[1])
local now = time(given)

-- The keys and the ids that the batch speaks of, each once: an id as it is remembered (done.lua). The commands say which
-- they mean by its place, and stand one after the other in one flat list, each as many values long as its code says:
--   OFFER key seq id epoch; HOLD key seq id size payload epoch; COMMIT key seq id fence have field
--   RETRY key seq id fence number error; POSTPONE the same and size payload delay; HALT the same and size payload
--   RELEASE key fence; CLAIM key; DEAD_LETTER as RETRY and size payload have; FILL key from to; RESET key at epoch
--   OPERATE key verb argument payload
-- A payload is its place among those in ARGV, the field of a commit how its seq is remembered. -1 is none.
local OFFER, HOLD, COMMIT = 1, 2, 3
local WIDTH = { 5, 7, 7, 7, 10, 9, 3, 2, 10, 4, 4, 5 }
local names, asked = decode(ARGV[2]), decode(ARGV[4])
local ids, looked_up = decode(ARGV[3]) -- how many of the ids, the first of them, are offered and so looked up
local function payload_in(place)
  return ARGV[place + 4]
end

-- What is answered.
local RUN, DUPLICATE, COMMITTED, OVERTAKEN = 1, 5, 8, 20
local answer, length = {}, 0

-- A server that is out of memory refuses the first write of a script if that write may take memory, and lets all
-- others pass (deny-oom, `scriptVerifyOOM` in src/script.c). So a batch that takes anything in begins with such a write,
-- and is refused whole; one that only settles what is at work begins with a removal, of nothing if need be, and goes
-- through: what is held drains, and its memory is freed.
local takes_in, has_begun = false, false
local function begin_writing()
  if not takes_in and not has_begun then call('HDEL', AT.claims, '') end
  has_begun = true
end
