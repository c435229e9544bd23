-- Part of apply: all rules by name, and where the structures of the bucket are.
local AT = {
  states = STATES, claims = CLAIMS, held = KEYS[3], payloads = KEYS[4], order = KEYS[5], troubles = KEYS[6],
  leases = KEYS[7], totals = TOTALS, due = KEYS[9], absent = KEYS[13], passed = KEYS[14], dead = KEYS[15],
  dead_order = KEYS[16], gaps = KEYS[17], halts = KEYS[18], noted = KEYS[19], log = KEYS[20],
}
local policy = {
  first_seq = first_seq, max_attempts = max_attempts, lane_depth = lane_depth, dedup_ttl = dedup_ttl, next_events = next_events,
  next_bytes = next_bytes, key_events = key_events, key_bytes = key_bytes, bucket_events = bucket_events,
  bucket_bytes = bucket_bytes, on_gap = on_gap, gap_after = gap_after, gap_text = gap_text, said = operator_said,
}

local function payload_in(place)
  return ARGV[place + 4]
end
