-- A page of the positions of a group, by key.
-- $1 group, $2 the key before the page, or an empty text, $3 how many at the most
-- Returns key, epoch, last seq, fence, the skipped seqs as [from,to) pairs one after the other, seconds since the epoch.
select key, epoch, last_seq, fence,
    array(select bound from unnest(skipped) as hole(seqs), unnest(array[lower(seqs), upper(seqs)]) with ordinality as pair(bound, place)
        order by lower(seqs), place),
    extract(epoch from updated_at)::float8
from ordered_progress
where group_name = $1 and key > $2
order by key
limit $3
