-- Part of apply: what is plain. A key is plain while it holds, lacks and has put aside nothing and does not stand still: its
-- state is at most three numbers, and nobody but this worker has it. What comes in order for such a key is decided here,
-- with the few lines of the protocol that then matter, and written down. All else is left to the files behind this one,
-- and where nothing is left they are not even made.
--
-- A command of a key after one that was left is left too, so each key's commands stay in order.
local RUN, DUPLICATE, COMMITTED = 1, 5, 8
local texts, claims = call('HMGET', STATES, unpack(names)), call('HMGET', CLAIMS, unpack(names))
local done = done_until(ids, owners, numbers, prints, looked_up)
local answer, length = {}, 0
-- Where in `asked` the commands begin that are left, and how long the answer was before each.
local left, left_at, left_count = {}, {}, 0
-- Whether the batch brings anything in, and whether something was written.
local takes_in, has_begun = false, false
local is_group_paused = call('HGET', TOTALS, 'paused') == '1'

-- A server that is out of memory refuses the first write of a script if that write may take memory, and lets all others pass
-- (deny-oom, `scriptVerifyOOM` in src/script.c). So a batch that takes anything in begins with such a write, and is refused
-- whole; one that only settles what is at work begins with a removal, of nothing, and goes through: what is held drains, and
-- its memory is freed.
local function begin_writing()
  if not takes_in and not has_begun then call('HDEL', CLAIMS, '') end
  has_begun = true
end

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

do
  -- Of each plain key: its state, its claim as it is written (worker, since, then seq and id of each event granted), and where
  -- in that the first stands that is not done with.
  local is_open, lasts, fences, tries, granted, heads = {}, {}, {}, {}, {}, {}
  local is_plain_time = is_dry == 0 and not is_group_paused
  for key = 1, is_plain_time and #names or 0 do
    local last, fence, attempts, more = first_seq - 1, 0, 0, nil
    local text, claim = texts[key], claims[key]
    if text then last, fence, attempts, more = decode(text) end
    if not more then
      claim = claim and { decode(claim) }
      if not claim or claim[1] == worker and claim[3] > last then
        is_open[key], lasts[key], fences[key], tries[key] = true, last, fence, attempts or 0
        granted[key], heads[key] = claim, 3
      end
    end
  end

  local changed, changes, is_changed = {}, 0, {}
  local records, count, hints, hint = {}, 0, {}, 0
  local since = format('%016.0f', now) .. ring_tag
  local at, size = 1, #asked
  while at <= size do
    local op, key = asked[at], asked[at + 1]
    local is_done, is_change = false, false
    if op <= HOLD then takes_in = true end
    if not is_open[key] then
      -- Left.
    elseif op == COMMIT then
      local seq, id, claim, fence = asked[at + 2], asked[at + 3], granted[key], fences[key]
      local field = ids[id]
      local head = heads[key]
      if claim and fence == asked[at + 4] and claim[head] == seq and claim[head + 1] == field then
        done[id] = expiry
        records[count + 1], records[count + 2] = asked[at + 6], asked[at + 7]
        count = count + 2
        if sub(claim[2], 17) ~= ring_tag then
          local chunk = pack_number('>I4', tonumber(string.match(asked[at + 6], '^%d+')))
          hints[hint + 1], hints[hint + 2], hints[hint + 3] = part_of(numbers[id]), sub(field, 1, 4) .. chunk, id
          hint = hint + 3
        end
        local front = claim[head + 2] or 0
        if front == 0 then
          granted[key], tries[key] = false, 0
        else
          heads[key], tries[key] = head + 2, 1
        end
        lasts[key] = seq
        answer[length + 1], answer[length + 2], answer[length + 3] = COMMITTED, front, 0
        length = length + 3
        is_done, is_change = true, true
      end
    elseif op <= HOLD and asked[at + WIDTH[op] - 1] < 0 then
      local seq, id, claim, last = asked[at + 2], asked[at + 3], granted[key], lasts[key]
      local is_repeat = done[id] and done[id] > now
      if seq <= last then
        if is_repeat then
          length = length + 1
          answer[length], is_done = DUPLICATE, true
        end
      elseif not claim and seq == last + 1 and tries[key] == 0 and max_attempts > 0 then
        local fence = fences[key] + 1
        fences[key], tries[key], granted[key], heads[key] = fence, 1, { worker, since, seq, ids[id] }, 3
        if looked_parts then
          hints[hint + 1], hints[hint + 2], hints[hint + 3] = looked_parts[id], asked[at + WIDTH[op] - 2], id
          hint = hint + 3
        end
        answer[length + 1], answer[length + 2], answer[length + 3], answer[length + 4] = RUN, fence, seq, 1
        answer[length + 5] = is_repeat and 1 or 0
        length = length + 5
        is_done, is_change = true, true
      elseif claim and sub(claim[2], 17) == ring_tag and seq == claim[#claim - 1] + 1
        and #claim < 2 * lane_depth + heads[key] - 1 then
        if looked_parts then
          hints[hint + 1], hints[hint + 2], hints[hint + 3] = looked_parts[id], asked[at + WIDTH[op] - 2], id
          hint = hint + 3
        end
        claim[#claim + 1] = seq
        claim[#claim + 1] = ids[id]
        answer[length + 1], answer[length + 2], answer[length + 3], answer[length + 4] = RUN, fences[key], claim[heads[key]], 1
        answer[length + 5] = is_repeat and 1 or 0
        length = length + 5
        is_done, is_change = true, true
      end
    end
    if is_change and not is_changed[key] then
      is_changed[key] = true
      changes = changes + 1
      changed[changes] = key
    elseif not is_done then
      is_open[key] = false
      left_count = left_count + 1
      left[left_count], left_at[left_count] = at, length
    end
    at = at + WIDTH[op]
  end

  if changes > 0 then
    local states, starts, ends = {}, {}, {} -- states that changed, claims that are there, claims that are no more
    for place = 1, changes do
      local key = changed[place]
      local name, claim, attempts = names[key], granted[key], tries[key]
      local text = attempts > 0 and pack(lasts[key], fences[key], attempts) or pack(lasts[key], fences[key])
      states[2 * place - 1], states[2 * place], texts[key] = name, text, text
      if claim then
        claim = pack_claim(claim, heads[key])
        starts[#starts + 1] = name
        starts[#starts + 1] = claim
        claims[key] = claim
      elseif claims[key] then
        ends[#ends + 1] = name
        claims[key] = false
      end
    end
    begin_writing()
    call('HSET', STATES, unpack(states))
    if starts[1] then call('HSET', CLAIMS, unpack(starts)) end
    if ends[1] then call('HDEL', CLAIMS, unpack(ends)) end
    remember(records, hints)
  end
end

local function note_call()
  if number == 0 then return end
  if not has_begun then call('HDEL', CLAIMS, '') end
  call('HSET', CALLS, worker, pack(run, number))
end

if left_count == 0 then
  note_call()
  do return answer end
end
