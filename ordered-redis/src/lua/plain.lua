-- Part of apply: what is plain. A key is plain while it holds, lacks and has put aside nothing and does not stand still: its
-- state is at most three numbers, and nobody but this worker has it. What comes in order for such a key is decided here,
-- with the few lines of the protocol that then matter, and written down; what is offered too early is told so; and the first
-- event of a key that is to be held is kept, with which the key is no longer plain. All else is left to the files behind this
-- one, and where nothing is left they are not even made.
--
-- A commit brings along what the state of its key is while nothing but this happens to it, and what it is to be then, each as
-- it is written. So it is plain where the text is the one that is there, and nothing has to be read or put together.
--
-- A command of a key after one that was left is left too, so each key's commands stay in order.
local RUN, DUPLICATE = 1, 5
-- What most of the answer is, in one number each: the key is free again, and nothing comes next (Committed without more).
-- To an offer, -fence is a grant of the event itself, as its first attempt (Run); to a commit, -front says that of those that
-- are granted this one is next, and that nothing is handed back (Committed).
local DONE = 0
-- The number of attempts behind the state of a key whose head was started once.
local STARTED = '\1'
local find, unpack_one = string.find, cmsgpack.unpack_one
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

do
  local EARLY, HOLDS, GAP, LANE_FULL = 2, 3, 1, 3
  local max = math.max
  -- How a claim of this worker begins, and one that it is given now. What is granted comes behind that: seq and id, packed.
  local me = pack(worker)
  local mine = me .. pack(format('%016.0f', now) .. ring_tag)
  local begin = #mine
  local is_plain_time = is_dry == 0 and not is_group_paused
  -- Of a key that is offered something: its state in numbers, and of a claim how many events it has, the first and the last.
  local lasts, fences, tries, granted, fronts, uptos = {}, {}, {}, {}, {}, {}
  local is_left, is_moved, is_reclaimed, was = {}, {}, {}, {}
  -- A claim may be long, and is put together anew once for a batch: up to here it is done with, and this comes behind it.
  local cuts, tails = {}, {}
  local function put_together(key)
    local held, cut, tail = claims[key], cuts[key], tails[key]
    if cut then held = sub(held, 1, begin) .. sub(held, cut) end
    if tail then held = held .. table.concat(tail) end
    claims[key], cuts[key], tails[key] = held, nil, nil
    return held
  end
  local moved, reclaimed, moves, reclaims = {}, {}, 0, 0
  local records, count, hints, hint, has_new = {}, 0, {}, 0, false
  -- What is kept, for each of the structures; what the bucket holds with it; and whether the quotas have room for all that the
  -- batch brings. Then no command is refused for what another brings, in whichever order they are decided.
  local payloads, metas, order, noted, gaps, events, bytes, is_roomy
  local kept = 0
  local at, size = 1, #asked
  while at <= size do
    local op, key = asked[at], asked[at + 1]
    local is_done, state, claim = false, nil, nil -- and what they are from now on, where that is something else
    local why_not -- why what is offered may not run
    if op <= HOLD then takes_in = true end
    if is_left[key] or not is_plain_time then
      -- Left.
    elseif op == COMMIT then
      local held = claims[key]
      if held and texts[key] == asked[at + 9] and find(held, me, 1, true) == 1 then
        local id, mark = asked[at + 3], asked[at + 8]
        if tails[key] then held = put_together(key) end
        local from = cuts[key] or begin + 1
        local rest = from + #mark
        if find(held, mark, from, true) == from then
          done[id] = expiry
          records[count + 1], records[count + 2] = asked[at + 6], asked[at + 7]
          count = count + 2
          if dedup_ttl > 0 and find(held, ring_tag, begin - 6, true) ~= begin - 6 then
            local chunk = pack_number('>I4', tonumber(string.match(asked[at + 6], '^%d+')))
            hints[hint + 1], hints[hint + 2], hints[hint + 3] = part_of(numbers[id]), sub(ids[id], 1, 4) .. chunk, id
            hint = hint + 3
          end
          state, is_done, lasts[key] = asked[at + 10], true, nil
          length = length + 1
          if rest > #held then
            claim, answer[length], cuts[key] = false, DONE, nil
          else
            local _, front = unpack_one(held, rest - 1)
            state, claim, cuts[key] = state .. STARTED, held, rest
            answer[length] = -front
          end
        end
      end
    elseif op <= HOLD and asked[at + WIDTH[op] - 1] < 0 then
      local seq, id, last, held, text = asked[at + 2], asked[at + 3], lasts[key], claims[key], texts[key]
      if not last then
        local fence, attempts, more = 0, 0, nil
        last = first_seq - 1
        if text then last, fence, attempts, more = decode(text) end
        is_left[key] = more or held and find(held, me, 1, true) ~= 1
        lasts[key], fences[key], tries[key], granted[key] = last, fence, attempts or 0, nil
      end
      local is_repeat = done[id] and done[id] > now
      if is_left[key] then
        -- Left.
      elseif seq <= last then
        if is_repeat then
          length = length + 1
          answer[length], is_done = DUPLICATE, true
        end
      elseif not held then
        if seq == last + 1 and tries[key] == 0 and max_attempts > 0 then
          local fence = fences[key] + 1
          fences[key], tries[key], granted[key] = fence, 1, nil
          state, claim, is_done = pack(last, fence, 1), mine .. pack(seq, ids[id]), true
          length = length + 1
          if is_repeat then
            answer[length], answer[length + 1], answer[length + 2] = RUN, fence, seq
            answer[length + 3], answer[length + 4] = 1, 1
            length = length + 4
          else
            answer[length] = -fence
          end
        elseif seq > last + 1 then
          why_not = GAP
        end
      else
        if not granted[key] then
          held = put_together(key)
          local list = { decode(held) }
          granted[key], fronts[key], uptos[key] = #list / 2 - 1, list[3], max(list[#list - 1], last)
        end
        local is_next = seq == uptos[key] + 1
        if seq > uptos[key] + 1 then
          why_not = GAP
        elseif is_next and granted[key] >= lane_depth then
          why_not = LANE_FULL
        elseif is_next and find(held, ring_tag, begin - 6, true) == begin - 6 then
          granted[key], uptos[key] = granted[key] + 1, seq
          local tail = tails[key] or {}
          tail[#tail + 1], tails[key] = pack(seq, ids[id]), tail
          claim, is_done = claims[key], true
          answer[length + 1], answer[length + 2], answer[length + 3], answer[length + 4] = RUN, fences[key], fronts[key], 1
          answer[length + 5] = is_repeat and 1 or 0
          length = length + 5
        end
      end
      if why_not and op == OFFER then
        answer[length + 1], answer[length + 2], answer[length + 3] = EARLY, last + 1, why_not
        length, is_done = length + 3, true
      elseif why_not and key_events > 0 then
        local size = asked[at + 4]
        if not events then
          payloads, metas, order, noted, gaps = {}, {}, {}, {}, {}
          local stored, brought = call('HMGET', TOTALS, 'events', 'bytes'), 0
          events, bytes = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
          for place = 5, #ARGV do brought = brought + #ARGV[place] end
          is_roomy = events + #ARGV - 4 <= bucket_events and bytes + brought <= bucket_bytes
        end
        if is_roomy and size <= key_bytes then
          local name, since = names[key], nil
          local field, place = format('%.0f:', seq) .. name, 2 * kept
          if not held then
            since = now
            gaps[#gaps + 1] = format('%.0f', now)
            gaps[#gaps + 1] = name
          end
          state = since and pack(last, fences[key], tries[key], 0, 0, 1, size, 0, 0, 0, since)
            or pack(last, fences[key], tries[key], 0, 0, 1, size)
          payloads[place + 1], payloads[place + 2] = field, ARGV[asked[at + 5] + 4]
          metas[place + 1], metas[place + 2] = field, format('%.0f %.0f ', now, size) .. ids[id]
          order[place + 1], order[place + 2] = '0', #name .. ':' .. name .. format('%016.0f', seq)
          kept, events, bytes, noted[kept + 1] = kept + 1, events + 1, bytes + size, name
          answer[length + 1], answer[length + 2], answer[length + 3] = HOLDS, last + 1, why_not
          length, is_done, is_left[key] = length + 3, true, true
        end
      end
      if claim and looked_parts then
        hints[hint + 1], hints[hint + 2], hints[hint + 3] = looked_parts[id], asked[at + WIDTH[op] - 2], id
        hint = hint + 3
      end
    end
    if not is_done then
      is_left[key] = true
      left_count = left_count + 1
      left[left_count], left_at[left_count] = at, length
    end
    if state then
      has_new = has_new or not texts[key]
      texts[key] = state
      if not is_moved[key] then
        moves = moves + 1
        is_moved[key], moved[moves] = true, key
      end
    end
    if claim ~= nil then
      if not is_reclaimed[key] then
        reclaims = reclaims + 1
        is_reclaimed[key], reclaimed[reclaims], was[key] = true, key, claims[key]
      end
      claims[key] = claim
    end
    at = at + WIDTH[op]
  end

  if moves > 0 or reclaims > 0 then
    local states, starts, ends = {}, {}, {} -- states that changed, claims that are there, claims that are no more
    for place = 1, moves do
      local key = moved[place]
      states[2 * place - 1], states[2 * place] = names[key], texts[key]
    end
    for place = 1, reclaims do
      local key = reclaimed[place]
      local claim = claims[key] and put_together(key)
      if claim then
        starts[#starts + 1] = names[key]
        starts[#starts + 1] = claim
      elseif was[key] then
        ends[#ends + 1] = names[key]
      end
    end
    begin_writing()
    if states[1] then call('HSET', STATES, unpack(states)) end
    if has_new then make_table(STATES) end
    if starts[1] then call('HSET', CLAIMS, unpack(starts)) end
    if ends[1] then call('HDEL', CLAIMS, unpack(ends)) end
    remember(records, hints)
    if kept > 0 then
      call('HSET', KEYS[4], unpack(payloads))
      call('HSET', KEYS[3], unpack(metas))
      if events == kept then make_table(KEYS[3]) end
      call('ZADD', KEYS[5], unpack(order))
      call('SADD', KEYS[19], unpack(noted))
      if gaps[1] then call('ZADD', KEYS[17], unpack(gaps)) end
      call('HSET', TOTALS, 'events', format('%.0f', events), 'bytes', format('%.0f', bytes))
    end
  end
end

-- Nothing is written of what was only found too early or done, and so a server that is out of memory tells that all the same.
local function note_call()
  if number == 0 then return end
  if not has_begun then call('HDEL', CLAIMS, '') end
  call('HSET', CALLS, worker, pack(run, number))
end

if left_count == 0 then
  note_call()
  do return answer end
end
