-- Part of the operations that walk through events: where such as are held, and such as were put aside, are listed in order.
local places = {}

-- Members of one key have one prefix that no other key's have, and sort by seq.
function places.order_prefix(name)
  return #name .. ':' .. name
end

-- A number that sorts as text.
function places.sortable(number)
  return string.format('%016.0f', number)
end

function places.order_member(name, seq)
  return places.order_prefix(name) .. places.sortable(seq)
end

-- The place of an event that was put aside: as part of a field, and sortable.
function places.dead_field(name, epoch, seq)
  return digits(epoch) .. ':' .. held_field(name, seq)
end

function places.dead_place(epoch, seq)
  return places.sortable(epoch) .. places.sortable(seq)
end

function places.seq_of(place)
  return tonumber(string.sub(place, -16))
end

-- The latest numbering before this one of which the event with this seq was put aside. `changes` as below.
function places.older_epoch(index, is_stored, name, epoch, seq, changes)
  local prefix, from, to = 'd' .. places.order_prefix(name), places.dead_place(0, 0), places.dead_place(epoch - 1, 2 ^ 53)
  local found = places.range_of(index, is_stored, prefix, from, to, 10000, changes)
  for place = #found, 1, -1 do
    if places.seq_of(found[place]) == seq then return tonumber(string.sub(found[place], 1, 16)) end
  end
end

-- The members of a sorted set that begin with the prefix and lie between two places, without the prefix, in order.
-- `changes` says which are there (true) or not (false), whatever is written.
function places.range_of(index, is_stored, prefix, from, to, most, changes)
  local found = {}
  local start, stop, page = '[' .. prefix .. from, '[' .. prefix .. to, most + 16
  while is_stored and #found < most do
    local members = call('ZRANGEBYLEX', index, start, stop, 'LIMIT', 0, page)
    for _, member in ipairs(members) do
      local place = string.sub(member, #prefix + 1)
      if changes[place] == nil then found[#found + 1] = place end
    end
    if #members < page then break end
    start = '(' .. members[#members]
  end
  for place, is_there in pairs(changes) do
    if is_there and place >= from and place <= to then found[#found + 1] = place end
  end
  table.sort(found)
  for place = #found, most + 1, -1 do found[place] = nil end
  return found
end
