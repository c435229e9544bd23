//! Asking for events again.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::event::{Key, Seq};
use ordered_core::worker::{MissingEvents, Repair};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::PostgresError;
use crate::pool::{self, Connections};

/// How many connections of its own a worker asks with. A request is one statement.
const CONNECTIONS: usize = 2;

/// What is asked for: events of a key that a group waits for, or that a person wants to be published again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairRequest {
    /// The group that waits.
    pub group: String,
    /// The key.
    pub key: Key,
    /// The first seq.
    pub from: Seq,
    /// The last one.
    pub to: Seq,
    /// Who asks: a worker or a person.
    pub by: String,
    /// Whether seqs that were never staged are declared to never come, with a gap-fill, so that the key goes on. For
    /// workers that have a later event.
    pub fill: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairStatus {
    /// The number of the request.
    pub id: i64,
    /// What was asked for.
    pub request: RepairRequest,
    /// How long ago it was asked.
    pub asked: Duration,
    /// How long ago it was answered; `None` while no relay has.
    pub answered: Option<Duration>,
    /// How many events were published again.
    pub resent: i64,
    /// How many are in the outbox and not published yet: they come by themselves.
    pub pending: i64,
    /// How many seqs were never staged.
    pub missing: i64,
    /// How many were staged and are not in the outbox any more: nobody can publish them again.
    pub removed: i64,
}

/// Asks the relay of the key for events. The request stays until a relay has answered it. Where the same is asked
/// already, and not answered, the number of that request comes back.
///
/// # Errors
/// As every statement.
///
/// # Cancel safety
/// A dropped future has asked, or has not; asking again does no harm.
pub async fn ask(client: &Client, request: &RepairRequest) -> Result<i64, PostgresError> {
    // It writes what is there once more where the request is open already, since only rows that are written are
    // returned.
    let query =
        "insert into ordered_repairs as repair (group_name, key, shard, from_seq, to_seq, asked_by,
            fill, next_seq)
         values ($1, $2, ordered_shard($2), $3, $4, $5, $6, $3)
         on conflict (key, group_name, from_seq, to_seq) where answered_at is null
         do update set fill = repair.fill or excluded.fill returning id";
    let (from, to) = (number(request.from), number(request.to));
    let row = client
        .query_typed_one(
            query,
            &[
                (&request.group, Type::TEXT),
                (&request.key.as_str(), Type::TEXT),
                (&from, Type::INT8),
                (&to, Type::INT8),
                (&request.by, Type::TEXT),
                (&request.fill, Type::BOOL),
            ],
        )
        .await?;
    Ok(row.get(0))
}

/// What was asked about a key, newest first, so many at the most.
///
/// # Errors
/// As every query.
pub async fn requests(
    client: &Client,
    key: &Key,
    most: u32,
) -> Result<Vec<RepairStatus>, PostgresError> {
    let query = "select id, group_name, from_seq, to_seq, asked_by, fill,
            extract(epoch from clock_timestamp() - asked_at)::float8,
            extract(epoch from clock_timestamp() - answered_at)::float8,
            resent, pending, missing, removed
         from ordered_repairs where key = $1 order by id desc limit $2";
    let rows = client
        .query_typed(
            query,
            &[(&key.as_str(), Type::TEXT), (&i64::from(most), Type::INT8)],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| RepairStatus {
            id: row.get(0),
            request: RepairRequest {
                group: row.get(1),
                key: key.clone(),
                from: seq(row.get(2)),
                to: seq(row.get(3)),
                by: row.get(4),
                fill: row.get(5),
            },
            asked: seconds(row.get(6)),
            answered: row.get::<_, Option<f64>>(7).map(seconds),
            resent: row.get(8),
            pending: row.get(9),
            missing: row.get(10),
            removed: row.get(11),
        })
        .collect())
}

/// Asks the outbox for events that do not come, for a worker with `on_gap = "repair"`. What was never staged is
/// declared to never come, so that the key goes on.
#[derive(Debug, Clone)]
pub struct OutboxRepair {
    pool: Connections,
}

impl OutboxRepair {
    /// Asks the database of the outbox. Connections are made when they are needed.
    ///
    /// # Errors
    /// When this is no address of a database.
    pub fn new(url: &str) -> Result<Self, PostgresError> {
        let pool = pool::address(url, "ordered repair")?.pool(CONNECTIONS)?;
        Ok(Self { pool })
    }
}

#[async_trait]
impl Repair for OutboxRepair {
    async fn ask(&self, missing: MissingEvents) -> Result<(), Box<dyn Error + Send + Sync>> {
        let client = self.pool.get().await?;
        let request = RepairRequest {
            group: missing.group.to_string(),
            key: missing.key,
            from: missing.from,
            to: missing.to,
            by: missing.worker.to_string(),
            fill: true,
        };
        ask(&client, &request).await?;
        Ok(())
    }
}

fn number(seq: Seq) -> i64 {
    i64::try_from(seq.get()).unwrap_or(i64::MAX)
}

/// The table lets nothing else in.
fn seq(number: i64) -> Seq {
    let number = u64::try_from(number).unwrap_or(1);
    Seq::new(number).unwrap_or(Seq::MAX)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
