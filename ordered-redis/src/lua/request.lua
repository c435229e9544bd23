-- Part of apply: what is asked and by whom. It stands, like done.lua and plain.lua, before all that only some calls need, and
-- is written as one piece: each function that is made costs as much as a command that is decided.
local call, unpack, pack, decode, format = redis.call, unpack, cmsgpack.pack, cmsgpack.unpack, string.format
local STATES, CLAIMS, TOTALS, CALLS = KEYS[1], KEYS[2], KEYS[8], KEYS[21]
local worker, given, is_dry, run, number, first_seq, max_attempts, lane_depth, dedup_ttl, next_events, next_bytes, key_events,
  key_bytes, bucket_events, bucket_bytes, on_gap, gap_after, gap_text, operator_said = decode(ARGV[1])

-- The server's time in milliseconds, unless a test brings its own.
local now = given
if now == 0 then
  local parts = call('TIME')
  now = parts[1] * 1000 + (parts[2] - parts[2] % 1000) / 1000
end

-- The calls of a worker are numbered. One that the worker gave up, because no answer came, and said again may still be on
-- its way, and arrive after later ones. Carried out then, it could leave a key with a worker that does not know of it.
-- So what comes after a later call of the same run is refused; nobody waits for its answer. A call with the number 0 is
-- nobody's, and always in time.
local OVERTAKEN = 20
local latest = number > 0 and call('HGET', CALLS, worker)
if latest then
  local of, at = decode(latest)
  if of == run and at > number then
    do return { OVERTAKEN } end
  end
end

-- The keys and the ids that the batch speaks of, each once: of an id also the key, and the number that its print is (done.lua).
-- The first `looked_up` of the ids are offered, and have the print on its own too. The commands say which they mean by its place,
-- and stand one after the other, each as many values long as its code says:
--   OFFER key seq id entry epoch; HOLD key seq id size payload entry epoch
--   COMMIT key seq id fence have field record mark before after
--   RETRY key seq id fence number error; POSTPONE the same and size payload delay; HALT the same and size payload
--   RELEASE key fence; CLAIM key; DEAD_LETTER as RETRY and size payload have; FILL key from to; RESET key at epoch
--   OPERATE key verb argument payload
-- A payload is its place among those in ARGV. -1 is none. What is text as it is written in Redis comes so, and need not be put
-- together here. How an event of the first numbering is remembered: with an offer its entry in the index (entry), with a commit
-- the field of its chunk, and its record but for the expiry. Of a commit also how the event stands in a claim (mark); the
-- state of the key if this event is at work and nothing else is the matter (before), and at rest behind it (after).
local OFFER, HOLD, COMMIT = 1, 2, 3
local WIDTH = { 6, 8, 11, 7, 10, 9, 3, 2, 10, 4, 4, 5 }
-- Names and commands are streams, not lists, which are twice the work to read; so neither has more than Lua's stack takes
-- (LUAI_MAXCSTACK).
local names, asked = { decode(ARGV[2]) }, { decode(ARGV[4]) }
local ids, owners, numbers, prints, looked_up = decode(ARGV[3])
