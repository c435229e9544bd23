//! Keys that are behind their shard.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::Instant;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use crate::error::PostgresError;

/// How much is repeated of what a broker said.
const MOST_ERROR: usize = 1_000;

/// A key of which something is not published that lies before the position of its shard.
#[derive(Debug, Clone)]
pub(super) struct Lagging {
    pub(super) shard: i16,
    /// The first seq that is not published.
    pub(super) next_seq: i64,
    /// How often in a row the publication has failed.
    pub(super) attempts: u32,
    pub(super) retry_at: Instant,
    pub(super) error: Option<String>,
}

impl Lagging {
    /// It is not behind because of an error: it may go on at once.
    pub(super) fn behind(shard: i16, next_seq: i64) -> Self {
        Self {
            shard,
            next_seq,
            attempts: 0,
            retry_at: Instant::now(),
            error: None,
        }
    }
}

/// All of these shards.
pub(super) async fn load(
    connection: &Object,
    shards: &[i16],
) -> Result<HashMap<String, Lagging>, PostgresError> {
    let query = "select key, shard, next_seq, attempts, error, \
         greatest(extract(epoch from retry_at - clock_timestamp()), 0)::float8 \
         from ordered_relay_lagging where shard = any($1)";
    let rows = connection
        .query_typed(query, &[(&shards, Type::INT2_ARRAY)])
        .await?;
    let read = |row: &tokio_postgres::Row| {
        let attempts: i32 = row.try_get(3)?;
        let wait: f64 = row.try_get(5)?;
        let lagging = Lagging {
            shard: row.try_get(1)?,
            next_seq: row.try_get(2)?,
            attempts: u32::try_from(attempts).unwrap_or(0),
            error: row.try_get(4)?,
            retry_at: Instant::now() + Duration::try_from_secs_f64(wait).unwrap_or_default(),
        };
        Ok((row.try_get(0)?, lagging))
    };
    let all: Result<_, tokio_postgres::Error> = rows.iter().map(read).collect();
    Ok(all?)
}

/// Writes what is new about keys of these shards: that they lag, or, without a value, that they do no more.
pub(super) async fn save(
    transaction: &Transaction<'_>,
    shards: &[i16],
    changes: &HashMap<String, Option<Lagging>>,
) -> Result<(), PostgresError> {
    let over: Vec<&str> = changes
        .iter()
        .filter(|(_, change)| change.is_none())
        .map(|(key, _)| key.as_str())
        .collect();
    if !over.is_empty() {
        transaction
            .query_typed(
                "delete from ordered_relay_lagging where key = any($1) and shard = any($2)",
                &[(&over, Type::TEXT_ARRAY), (&shards, Type::INT2_ARRAY)],
            )
            .await?;
    }
    let behind: Vec<(&str, &Lagging)> = changes
        .iter()
        .filter_map(|(key, change)| Some((key.as_str(), change.as_ref()?)))
        .filter(|(_, lagging)| shards.contains(&lagging.shard))
        .collect();
    if behind.is_empty() {
        return Ok(());
    }
    let now = Instant::now();
    let keys: Vec<&str> = behind.iter().map(|(key, _)| *key).collect();
    let shards: Vec<i16> = behind.iter().map(|(_, lagging)| lagging.shard).collect();
    let next: Vec<i64> = behind.iter().map(|(_, lagging)| lagging.next_seq).collect();
    let attempts: Vec<i32> = behind
        .iter()
        .map(|(_, lagging)| i32::try_from(lagging.attempts).unwrap_or(i32::MAX))
        .collect();
    let waits: Vec<f64> = behind
        .iter()
        .map(|(_, lagging)| {
            lagging
                .retry_at
                .saturating_duration_since(now)
                .as_secs_f64()
        })
        .collect();
    let errors: Vec<Option<String>> = behind
        .iter()
        .map(|(_, lagging)| {
            let error = lagging.error.as_ref()?;
            // Postgres takes no zero bytes in a text.
            let fits = error.chars().filter(|letter| *letter != '\0');
            Some(fits.take(MOST_ERROR).collect())
        })
        .collect();
    transaction
        .query_typed(
            "insert into ordered_relay_lagging (key, shard, next_seq, attempts, retry_at, error)
             select key, shard, next_seq, attempts, clock_timestamp() + make_interval(secs => wait), error
             from unnest($1::text[], $2::smallint[], $3::bigint[], $4::integer[], $5::float8[], $6::text[])
                as behind (key, shard, next_seq, attempts, wait, error)
             on conflict (key) do update set next_seq = excluded.next_seq, attempts = excluded.attempts,
                retry_at = excluded.retry_at, error = excluded.error",
            &[
                (&keys, Type::TEXT_ARRAY),
                (&shards, Type::INT2_ARRAY),
                (&next, Type::INT8_ARRAY),
                (&attempts, Type::INT4_ARRAY),
                (&waits, Type::FLOAT8_ARRAY),
                (&errors, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    Ok(())
}
