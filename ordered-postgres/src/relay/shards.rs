//! Who relays what, as the database has it.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::types::Type;

use super::SHARDS;
use super::lagging::Lagging;
use super::row::Position;
use crate::error::PostgresError;

/// A shard that this relay has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) number: i16,
    pub(super) fence: i64,
    /// Everything up to here is published, or lagging.
    pub(super) at: Position,
}

/// Says that the relay is alive for so long, and forgets those that have been dead for long.
pub(super) async fn heartbeat(
    connection: &Object,
    relay: &str,
    lease: Duration,
) -> Result<(), PostgresError> {
    let seconds = lease.as_secs_f64();
    let query = "with dead as (delete from ordered_relays where alive_until < clock_timestamp() - interval '1 hour') \
         insert into ordered_relays (relay, alive_until) values ($1, clock_timestamp() + make_interval(secs => $2)) \
         on conflict (relay) do update set alive_until = excluded.alive_until";
    connection
        .query_typed(query, &[(&relay, Type::TEXT), (&seconds, Type::FLOAT8)])
        .await?;
    Ok(())
}

/// Gives back what is more than the relay's share, takes what nobody alive has up to the share, and tells all that it
/// has.
pub(super) async fn balance(connection: &Object, relay: &str) -> Result<Vec<Shard>, PostgresError> {
    let query = "with alive as materialized (
            select relay from ordered_relays where alive_until > clock_timestamp()
        ), share as (
            select ceil($2::float8 / greatest(count(*), 1))::bigint as most from alive
        ), mine as (
            select shard, row_number() over (order by shard) as nth from ordered_relay_shards where relay = $1
        ), given as (
            update ordered_relay_shards set relay = null
            where relay = $1 and shard in (select shard from mine, share where nth > most)
        ), free as (
            select shard from ordered_relay_shards
            where relay is null or (relay <> $1 and relay not in (select relay from alive))
            order by shard limit greatest((select most from share) - (select count(*) from mine), 0)
            for update skip locked
        )
        update ordered_relay_shards set relay = $1, fence = fence + 1 where shard in (select shard from free)";
    connection
        .query_typed(query, &[(&relay, Type::TEXT), (&SHARDS, Type::INT8)])
        .await?;
    let query = "select shard, fence, xid::text::bigint, position from ordered_relay_shards where relay = $1 order by \
                 shard";
    let rows = connection
        .query_typed(query, &[(&relay, Type::TEXT)])
        .await?;
    let shard = |row: &tokio_postgres::Row| {
        Ok(Shard {
            number: row.try_get(0)?,
            fence: row.try_get(1)?,
            at: Position {
                xid: row.try_get(2)?,
                position: row.try_get(3)?,
            },
        })
    };
    let shards: Result<_, tokio_postgres::Error> = rows.iter().map(shard).collect();
    Ok(shards?)
}

/// Writes down how far shards are, and which keys lag behind that or do so no more, in one transaction. Answers which
/// of the shards are still the relay's; of the others nothing is written.
pub(super) async fn save(
    connection: &mut Object,
    relay: &str,
    shards: &[Shard],
    lagging: &HashMap<String, Option<Lagging>>,
) -> Result<Vec<i16>, PostgresError> {
    let numbers: Vec<i16> = shards.iter().map(|shard| shard.number).collect();
    let fences: Vec<i64> = shards.iter().map(|shard| shard.fence).collect();
    let xids: Vec<i64> = shards.iter().map(|shard| shard.at.xid).collect();
    let positions: Vec<i64> = shards.iter().map(|shard| shard.at.position).collect();
    // Not backwards: a relay that comes back after an error may know less than it wrote. And without waiting for the
    // disk: a position that a crash of the server takes back is one from which is published again.
    let query = "with quick as materialized (select set_config('synchronous_commit', 'off', true))
        update ordered_relay_shards as shard set relayed_at = clock_timestamp(),
            xid = case when (done.xid::text::xid8, done.position) > (shard.xid, shard.position)
                then done.xid::text::xid8 else shard.xid end,
            position = case when (done.xid::text::xid8, done.position) > (shard.xid, shard.position)
                then done.position else shard.position end
        from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[]) as done (shard, fence, xid, position),
            quick
        where shard.shard = done.shard and shard.relay = $1 and shard.fence = done.fence returning shard.shard";
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 5] = [
        (&relay, Type::TEXT),
        (&numbers, Type::INT2_ARRAY),
        (&fences, Type::INT8_ARRAY),
        (&xids, Type::INT8_ARRAY),
        (&positions, Type::INT8_ARRAY),
    ];
    if lagging.is_empty() {
        let rows = connection.query_typed(query, &parameters).await?;
        return Ok(rows.iter().map(|row| row.get(0)).collect());
    }
    let transaction = connection.transaction().await?;
    let rows = transaction.query_typed(query, &parameters).await?;
    let ours: Vec<i16> = rows.iter().map(|row| row.get(0)).collect();
    super::lagging::save(&transaction, &ours, lagging).await?;
    transaction.commit().await?;
    Ok(ours)
}

/// Gives all shards back, and is gone.
pub(super) async fn leave(connection: &Object, relay: &str) -> Result<(), PostgresError> {
    let query = "with gone as (delete from ordered_relays where relay = $1) \
         update ordered_relay_shards set relay = null where relay = $1";
    connection
        .query_typed(query, &[(&relay, Type::TEXT)])
        .await?;
    Ok(())
}
