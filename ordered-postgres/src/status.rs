//! What the outbox and its relays do, for people and for gauges.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::PostgresError;

/// How far it is counted how many events wait.
pub const MOST_PENDING: i64 = 100_000;
/// How many keys that are behind are listed.
const MOST_LAGGING: i64 = 20;

/// What is committed and not published.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// How many events, counted up to [`MOST_PENDING`].
    pub events: i64,
    /// How long the oldest of them has waited.
    pub oldest: Option<Duration>,
    /// The transaction that has been open for longest of those that hold events back, in whatever database of the
    /// server.
    pub oldest_transaction: Option<OpenTransaction>,
}

/// A transaction that has written something and is open. What was staged after it began waits for its end.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenTransaction {
    /// The process of the server, for `pg_terminate_backend`; 0 for a prepared transaction.
    pub pid: i32,
    /// The database that it is in.
    pub database: String,
    /// What the program calls itself, or the name of the prepared transaction.
    pub application: String,
    /// What it does, such as `idle in transaction`.
    pub state: String,
    /// For how long it has been open.
    pub open_for: Duration,
}

/// A relay, as the database knows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RelayStatus {
    /// Its name; empty for the shards that no relay has.
    pub name: String,
    /// Whether it has said lately that it is alive.
    pub alive: bool,
    /// How many of the 16 shards it has.
    pub shards: i64,
    /// How long ago it published something.
    pub published: Option<Duration>,
}

/// A key that is behind its shard.
#[derive(Debug, Clone, PartialEq)]
pub struct LaggingKey {
    /// The key.
    pub key: String,
    /// The first seq that is not published.
    pub next_seq: i64,
    /// How often in a row its publication has failed; 0: it is only catching up.
    pub attempts: i32,
    /// What the broker said last.
    pub error: Option<String>,
    /// For how long it has been behind.
    pub since: Duration,
}

/// The outbox as a whole.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// What waits.
    pub pending: Pending,
    /// The relays that are alive or have shards.
    pub relays: Vec<RelayStatus>,
    /// How many keys are behind.
    pub lagging: i64,
    /// Those that have been so for longest.
    pub lagging_keys: Vec<LaggingKey>,
    /// How many requests for events wait for an answer.
    pub open_repairs: i64,
    /// How large the table is, with its indexes, in bytes.
    pub size_bytes: i64,
}

/// What waits to be published.
///
/// # Errors
/// As every query.
pub async fn pending(client: &Client) -> Result<Pending, PostgresError> {
    let least = "select xid::text::bigint, position from ordered_relay_shards order by xid, position limit 1";
    let least = client.query_typed_opt(least, &[]).await?;
    let (xid, position): (i64, i64) = least.map_or((0, 0), |row| (row.get(0), row.get(1)));
    let query = "select count(*), extract(epoch from clock_timestamp() - min(created_at))::float8 from (
            select outbox.created_at from ordered_outbox outbox join ordered_relay_shards shard using (shard)
            where (outbox.xid, outbox.position) > ($1::bigint::text::xid8, $2)
                and (outbox.xid, outbox.position) > (shard.xid, shard.position)
            union all
            select outbox.created_at from ordered_relay_lagging lagging join ordered_relay_shards shard using (shard)
                join ordered_outbox outbox on outbox.aggregate_id = lagging.key and outbox.seq >= lagging.next_seq
            where (outbox.xid, outbox.position) <= (shard.xid, shard.position)
            limit $3
        ) waiting";
    let row = client
        .query_typed_one(
            query,
            &[
                (&xid, Type::INT8),
                (&position, Type::INT8),
                (&MOST_PENDING, Type::INT8),
            ],
        )
        .await?;
    Ok(Pending {
        events: row.get(0),
        oldest: row.get::<_, Option<f64>>(1).map(seconds),
        oldest_transaction: oldest_transaction(client).await?,
    })
}

async fn oldest_transaction(client: &Client) -> Result<Option<OpenTransaction>, PostgresError> {
    let query = "select pid, coalesce(datname, '')::text, coalesce(application_name, ''), coalesce(state, ''),
            extract(epoch from clock_timestamp() - begun)::float8
        from (
            select pid, datname, application_name, state, xact_start as begun from pg_stat_activity
            where backend_xid is not null and pid <> pg_backend_pid()
            union all
            select 0, database, gid, 'prepared', prepared from pg_prepared_xacts
        ) open order by begun limit 1";
    let row = client.query_typed_opt(query, &[]).await?;
    Ok(row.map(|row| OpenTransaction {
        pid: row.get(0),
        database: row.get(1),
        application: row.get(2),
        state: row.get(3),
        open_for: row.get::<_, Option<f64>>(4).map_or(Duration::ZERO, seconds),
    }))
}

/// The outbox as a whole.
///
/// # Errors
/// As every query; missing tables among them.
pub async fn status(client: &Client) -> Result<OutboxStatus, PostgresError> {
    crate::check_tables(client).await?;
    let pending = pending(client).await?;
    let relays = "select coalesce(shard.relay, relay.relay, ''),
            coalesce(max(relay.alive_until) > clock_timestamp(), false),
            count(shard.shard), extract(epoch from clock_timestamp() - max(shard.relayed_at))::float8
        from ordered_relay_shards shard full join ordered_relays relay on relay.relay = shard.relay
        group by 1 having count(shard.shard) > 0 or max(relay.alive_until) > clock_timestamp() order by 1";
    let relays = client.query_typed(relays, &[]).await?;
    let lagging = "select key, next_seq, attempts, error, extract(epoch from clock_timestamp() - since)::float8,
            count(*) over () from ordered_relay_lagging order by since limit $1";
    let lagging = client
        .query_typed(lagging, &[(&MOST_LAGGING, Type::INT8)])
        .await?;
    let rest = "select (select count(*) from ordered_repairs where answered_at is null), \
                pg_total_relation_size('ordered_outbox')";
    let rest = client.query_typed_one(rest, &[]).await?;
    Ok(OutboxStatus {
        pending,
        relays: relays
            .iter()
            .map(|row| RelayStatus {
                name: row.get(0),
                alive: row.get(1),
                shards: row.get(2),
                published: row.get::<_, Option<f64>>(3).map(seconds),
            })
            .collect(),
        lagging: lagging.first().map_or(0, |row| row.get(5)),
        lagging_keys: lagging
            .iter()
            .map(|row| LaggingKey {
                key: row.get(0),
                next_seq: row.get(1),
                attempts: row.get(2),
                error: row.get(3),
                since: seconds(row.get(4)),
            })
            .collect(),
        open_repairs: rest.get(0),
        size_bytes: rest.get(1),
    })
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
