-- Records a run of events of one key in the caller's transaction, if it is the next and its worker was not taken over.
-- $1 group, $2 key, $3 epoch, $4 first seq, $5 last seq, $6 id of the last event, $7 fence,
-- $8 whether the run may begin beyond the next seq
-- Changes one row, or none where it refuses. The last `where` is its condition.
insert into ordered_progress as done
    (group_name, key, epoch, last_seq, skipped, event_id, fence, updated_at)
values ($1, $2, $3, $5, int8multirange(int8range(least(1::bigint, $4), $4)), $6, $7, clock_timestamp())
on conflict (group_name, key) do update set
    epoch = excluded.epoch,
    last_seq = case
        when done.epoch < excluded.epoch then excluded.last_seq
        else greatest(done.last_seq, excluded.last_seq) end,
    skipped = case
        when done.epoch < excluded.epoch then excluded.skipped
        when $4 = done.last_seq + 1 then done.skipped
        when $4 > done.last_seq then done.skipped + int8multirange(int8range(done.last_seq + 1, $4))
        else done.skipped - int8multirange(int8range($4, $5, '[]')) end,
    event_id = case
        when done.epoch = excluded.epoch and $5 < done.last_seq then done.event_id
        else excluded.event_id end,
    fence = excluded.fence,
    updated_at = excluded.updated_at
where done.fence <= excluded.fence
    and (done.epoch < excluded.epoch
        or done.epoch = excluded.epoch
            and ($4 = done.last_seq + 1
                or $8 and $4 > done.last_seq
                or done.skipped @> int8range($4, $5, '[]')))
