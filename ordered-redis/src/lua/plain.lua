-- Part of apply: what is plain. A key is plain while it holds, lacks and has put aside nothing and does not stand still: its
-- state is at most three numbers, and nobody but this worker has it. What comes in order for such a key is decided here,
-- with the few lines of the protocol that then matter, and written down. All else is left to the files behind this one,
-- and where nothing is left they are not even made: making their functions costs more than all that is done here.
--
-- A command of a key after one that was left is left too, so each key's commands stay in order.
local texts, claims = fetch(AT.states, names), fetch(AT.claims, names) -- as they are written, false where nothing is
local done = done_until(ids, looked_up) -- until when each of those ids is remembered
local left, left_at = {}, {} -- where in `asked` those begin that are left, and how long the answer was before each

do
  -- Of each plain key its state; of its claim since when it is, the event at the front, how many there are and the last
  -- of them, and a list of those behind the front.
  local lasts, fences, tries = {}, {}, {}
  local since, front, front_id, depth, upto, behind = {}, {}, {}, {}, {}, {}

  local function read_claim(key)
    local of, at, seq, id, more = decode(claims[key])
    if of ~= worker or seq <= lasts[key] then
      lasts[key] = false
      return
    end
    since[key], front[key], front_id[key], upto[key], depth[key] = at, seq, id, seq, 1
    if more then
      local list = { select(5, decode(claims[key])) }
      behind[key], upto[key], depth[key] = list, list[#list - 1], 1 + #list / 2
    end
  end

  local is_plain_time = policy.is_dry == 0 and call('HGET', AT.totals, 'paused') ~= '1'
  for key = 1, #names do
    local last, fence, attempts, more = policy.first_seq - 1, 0, 0, not is_plain_time
    if texts[key] then last, fence, attempts, more = decode(texts[key]) end
    if more or not is_plain_time then
      lasts[key] = false
    else
      lasts[key], fences[key], tries[key], depth[key] = last, fence, attempts or 0, 0
      if claims[key] then read_claim(key) end
    end
  end

  local changed, changes, is_changed, is_left = {}, 0, {}, {}
  local function change(key)
    if is_changed[key] then return end
    is_changed[key] = true
    changes = changes + 1
    changed[changes] = key
  end

  local function offer(key, seq, id)
    local is_repeat = done[id] and done[id] > now
    if seq <= lasts[key] then
      if not is_repeat then return false end
      length = length + 1
      answer[length] = DUPLICATE
      return true
    end
    local many = depth[key]
    if many == 0 then
      if seq ~= lasts[key] + 1 or tries[key] >= policy.max_attempts then return false end
      fences[key], tries[key] = fences[key] + 1, tries[key] + 1
      since[key], front[key], front_id[key] = now, seq, ids[id]
    else
      if seq ~= upto[key] + 1 or many >= policy.lane_depth then return false end
      local list = behind[key]
      if list then
        local size = #list
        list[size + 1], list[size + 2] = seq, ids[id]
      else
        behind[key] = { seq, ids[id] }
      end
    end
    depth[key], upto[key] = many + 1, seq
    change(key)
    answer[length + 1], answer[length + 2], answer[length + 3] = RUN, fences[key], front[key]
    answer[length + 4], answer[length + 5] = many == 0 and tries[key] or 1, is_repeat and 1 or 0
    length = length + 5
    return true
  end

  local function commit(key, seq, id, fence, field)
    if depth[key] == 0 or fence ~= fences[key] or seq ~= front[key] or ids[id] ~= front_id[key] then return false end
    local name = names[key]
    remember(ids[id], field, id_in(ids[id], name))
    done[id] = expiry
    lasts[key], tries[key], depth[key] = seq, 0, depth[key] - 1
    local next_seq = 0
    if depth[key] > 0 then
      local list = behind[key]
      next_seq = table.remove(list, 1)
      front[key], front_id[key], tries[key] = next_seq, table.remove(list, 1), 1
    end
    change(key)
    answer[length + 1], answer[length + 2], answer[length + 3] = COMMITTED, next_seq, 0
    length = length + 3
    return true
  end

  local at, size, left_count = 1, #asked, 0
  while at <= size do
    local op, key = asked[at], asked[at + 1]
    local is_done = false
    if op <= HOLD then takes_in = true end
    if lasts[key] and not is_left[key] then
      if op == OFFER then
        is_done = asked[at + 4] < 0 and offer(key, asked[at + 2], asked[at + 3])
      elseif op == COMMIT then
        is_done = commit(key, asked[at + 2], asked[at + 3], asked[at + 4], asked[at + 6])
      elseif op == HOLD then
        is_done = asked[at + 6] < 0 and offer(key, asked[at + 2], asked[at + 3])
      end
    end
    if not is_done then
      is_left[key] = true
      left_count = left_count + 1
      left[left_count], left_at[left_count] = at, length
    end
    at = at + WIDTH[op]
  end

  local states, starts, ends = {}, {}, {} -- states that changed, and claims that are there and that are not any more
  for number = 1, changes do
    local key = changed[number]
    local text = tries[key] > 0 and pack(lasts[key], fences[key], tries[key]) or pack(lasts[key], fences[key])
    states[2 * number - 1], states[2 * number], texts[key] = names[key], text, text
    if depth[key] > 0 then
      local list = behind[key]
      local claim = list and pack(worker, since[key], front[key], front_id[key], unpack(list))
        or pack(worker, since[key], front[key], front_id[key])
      starts[#starts + 1], starts[#starts + 2], claims[key] = names[key], claim, claim
    elseif claims[key] then
      ends[#ends + 1], claims[key] = names[key], false
    end
  end
  if changes > 0 then
    begin_writing()
    send('HSET', AT.states, states)
    send('HDEL', AT.claims, ends)
    send('HSET', AT.claims, starts)
    save_done()
  end
end

if not left[1] then
  note_call()
  do return answer end
end
