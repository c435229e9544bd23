-- Staging: the only code that mints seqs. Called by the library and, from any language, by hand.

-- Which of the 16 relay shards a key belongs to. This hash of Postgres is the same in all versions from 11 on.
create or replace function ordered_shard(key text) returns smallint
language sql immutable strict parallel safe
as $$ select (hashtextextended(key collate "C", 0) & 15)::smallint $$;

create or replace function ordered_check_key(key text) returns void
language plpgsql
as $$
begin
    if key is null or key = '' then
        raise exception 'the key is empty: every event must say which key it belongs to' using errcode = '22023';
    end if;
    if octet_length(key) > 512 then
        raise exception 'the key has % bytes, and a key may have 512 at most', octet_length(key) using errcode = '22023';
    end if;
end
$$;

-- Stages one event in the caller's transaction: mints the next seq of the key, and inserts the row. The body is either
-- `payload` or `payload_bytes`. Headers are an object of texts. Without an id the event gets a new one.
-- Another transaction that stages for the same key waits until this one has ended.
create or replace function ordered_stage(
    aggregate_type text,
    key text,
    event_type text,
    payload json default null,
    headers jsonb default null,
    trace text default null,
    event_id text default null,
    payload_bytes bytea default null,
    out seq bigint,
    out id text
)
language plpgsql
as $$
begin
    if ordered_stage.key is null or octet_length(ordered_stage.key) not between 1 and 512 then
        perform ordered_check_key(ordered_stage.key);
    end if;
    insert into ordered_counters as counter values (ordered_stage.key, 1)
    on conflict on constraint ordered_counters_pkey do update set last_seq = counter.last_seq + 1
    returning counter.last_seq into ordered_stage.seq;
    id := coalesce(ordered_stage.event_id, gen_random_uuid()::text);
    insert into ordered_outbox (shard, id, aggregate_type, aggregate_id, seq, event_type, payload, payload_bytes, headers, trace)
    values (ordered_shard(ordered_stage.key), ordered_stage.id, ordered_stage.aggregate_type, ordered_stage.key,
        ordered_stage.seq, ordered_stage.event_type, ordered_stage.payload, ordered_stage.payload_bytes,
        ordered_stage.headers, ordered_stage.trace);
end
$$;

-- Stages many events with one statement, and answers with their seqs, in the order of the arrays. Keys are locked in
-- the order of their bytes, so that two batches never wait for each other.
create or replace function ordered_stage_batch(
    aggregate_types text[],
    keys text[],
    event_types text[],
    payloads text[],
    bodies bytea[],
    headers text[],
    traces text[],
    ids text[]
)
returns bigint[]
language plpgsql
as $$
declare
    wrong text;
    seqs bigint[];
begin
    foreach wrong in array keys loop
        if wrong is null or octet_length(wrong) not between 1 and 512 then
            perform ordered_check_key(wrong);
        end if;
    end loop;
    with given as materialized (
        select event.*, event.key collate "C" as name, row_number() over (partition by event.key collate "C" order by event.place) as nth
        from unnest(aggregate_types, keys, event_types, payloads, bodies, ordered_stage_batch.headers, traces, ids) with ordinality
            as event (aggregate_type, key, event_type, payload, body, headers, trace, id, place)
    ), counted as materialized (
        select given.name, count(*) as many from given group by given.name
    ), minted as (
        insert into ordered_counters as counter select counted.name, counted.many from counted order by counted.name
        on conflict on constraint ordered_counters_pkey do update set last_seq = counter.last_seq + excluded.last_seq
        returning counter.key, counter.last_seq
    ), numbered as materialized (
        select given.*, minted.last_seq - counted.many + given.nth as seq
        from given join counted using (name) join minted on minted.key = given.name
    ), staged as (
        insert into ordered_outbox (shard, id, aggregate_type, aggregate_id, seq, event_type, payload, payload_bytes, headers, trace)
        select ordered_shard(event.name), coalesce(event.id, gen_random_uuid()::text), event.aggregate_type, event.name, event.seq,
            event.event_type, event.payload::json, event.body, event.headers::jsonb, event.trace
        from numbered event order by event.place
    )
    select array_agg(numbered.seq order by numbered.place) into seqs from numbered;
    return coalesce(seqs, '{}');
end
$$;
