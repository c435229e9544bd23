-- What is recorded of a key, beside a run of its events.
-- $1 group, $2 key, $3 first seq, $4 last seq
-- Returns epoch, last seq, event id, fence, and whether anything of the run was skipped.
select epoch, last_seq, event_id, fence, skipped && int8range($3, $4, '[]')
from ordered_progress
where group_name = $1 and key = $2
