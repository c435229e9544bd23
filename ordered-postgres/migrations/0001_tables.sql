-- The tables of the outbox and the inbox. They lie in the first schema of the search path.
-- Keys are compared as bytes (collate "C"): that is faster, and the same on every server.

-- The last seq of each key. A row is locked by whoever mints until that transaction ends, so that numbers have no gaps.
create table if not exists ordered_counters (
    key text collate "C" not null,
    last_seq bigint not null,
    constraint ordered_counters_pkey primary key (key),
    constraint ordered_counters_seq check (last_seq between 0 and 9007199254740991)
) with (fillfactor = 50);

-- The staged events. A row is written once and never changed; it is removed after the retention.
create table if not exists ordered_outbox (
    -- The transaction that staged the event: the relay reads what is older than every open transaction.
    xid xid8 not null default pg_current_xact_id(),
    -- Tells apart the events of one transaction.
    position bigint not null generated always as identity,
    -- Which relay publishes it.
    shard smallint not null,
    id text not null,
    aggregate_type text not null,
    -- The key.
    aggregate_id text collate "C" not null,
    seq bigint not null,
    event_type text not null,
    -- The body: JSON as it was given, or bytes.
    payload json,
    payload_bytes bytea,
    -- An object of texts.
    headers jsonb,
    -- The producer's span, as the header `traceparent` of the W3C has it.
    trace text,
    created_at timestamptz not null default clock_timestamp(),
    constraint ordered_outbox_pkey primary key (aggregate_id, seq),
    constraint ordered_outbox_headers check (jsonb_typeof(headers) = 'object'),
    constraint ordered_outbox_body check (num_nonnulls(payload, payload_bytes) = 1)
);
create index if not exists ordered_outbox_order on ordered_outbox (xid, position);

-- How far each shard of the outbox is relayed, and by whom.
create table if not exists ordered_relay_shards (
    shard smallint primary key,
    -- Everything up to here is published, or listed in ordered_relay_lagging.
    xid xid8 not null default '0',
    position bigint not null default 0,
    relay text,
    -- Grows with each change of the relay: a relay that lost the shard changes nothing more.
    fence bigint not null default 0,
    relayed_at timestamptz
) with (fillfactor = 50);
insert into ordered_relay_shards (shard) select generate_series(0, 15) on conflict do nothing;

-- The relays that are alive.
create table if not exists ordered_relays (
    relay text primary key,
    started_at timestamptz not null default clock_timestamp(),
    alive_until timestamptz not null
) with (fillfactor = 50);

-- Keys that are behind the position of their shard: a publication failed, or an earlier event lies further on.
create table if not exists ordered_relay_lagging (
    key text collate "C" primary key,
    shard smallint not null,
    -- Everything of the key from this seq on is not published yet.
    next_seq bigint not null,
    attempts integer not null default 0,
    retry_at timestamptz not null default clock_timestamp(),
    error text,
    since timestamptz not null default clock_timestamp()
);
create index if not exists ordered_relay_lagging_shard on ordered_relay_lagging (shard, retry_at);

-- Workers and operators ask for events again; the relay of the shard answers.
create table if not exists ordered_repairs (
    id bigint generated always as identity primary key,
    group_name text not null,
    key text collate "C" not null,
    shard smallint not null,
    from_seq bigint not null,
    to_seq bigint not null,
    asked_by text not null,
    asked_at timestamptz not null default clock_timestamp(),
    -- Whether the seqs that were never staged are declared to never come (a gap-fill).
    fill boolean not null,
    -- The relay goes on with this seq; it answers in parts where much is asked for.
    next_seq bigint not null,
    answered_at timestamptz,
    -- How many of the seqs were published again, are not published yet and will come by themselves, were never staged, and
    -- are not in the outbox any more.
    resent bigint not null default 0,
    pending bigint not null default 0,
    missing bigint not null default 0,
    removed bigint not null default 0,
    constraint ordered_repairs_range check (from_seq between 1 and to_seq and to_seq <= 9007199254740991)
);
-- One request is open at a time for what is asked.
create unique index if not exists ordered_repairs_open on ordered_repairs (key, group_name, from_seq, to_seq) where answered_at is null;
create index if not exists ordered_repairs_asked on ordered_repairs (key, id);

-- What the inbox of each group has applied; the database's truth about the progress of a key.
create table if not exists ordered_progress (
    group_name text not null,
    key text collate "C" not null,
    -- How often the numbering of the key was started over: a seq counts within its epoch.
    epoch bigint not null default 0,
    last_seq bigint not null,
    -- What of 1 to last_seq was not applied here: it was skipped, dead-lettered, or came before there was an inbox.
    skipped int8multirange not null default '{}',
    -- The event of last_seq.
    event_id text not null,
    -- The fencing token of the worker that applied it.
    fence bigint not null,
    updated_at timestamptz not null default clock_timestamp(),
    constraint ordered_progress_pkey primary key (group_name, key),
    constraint ordered_progress_seq check (last_seq between 1 and 9007199254740991)
-- Room in each page, so that an update needs no new entry in the index.
) with (fillfactor = 70);
