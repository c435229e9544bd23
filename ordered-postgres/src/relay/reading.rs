//! What the relay reads of the outbox.

use std::pin::pin;

use deadpool_postgres::Object;
use futures_util::TryStreamExt;
use tokio_postgres::types::Type;

use super::row::{COLUMNS, OutboxRow, Position};
use crate::error::PostgresError;

/// Which rows are read next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) shards: Vec<i16>,
    pub(super) after: Position,
    /// Where another shard of ours stands, if it is further on.
    pub(super) upto: Option<Position>,
}

/// Rows in the order of the scan, and how far they reach.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) scan: Scan,
    pub(super) rows: Vec<OutboxRow>,
    /// Everything of the scan up to here is in it.
    pub(super) reaches: Position,
    /// Nothing is left of the scan for now.
    pub(super) exhausted: bool,
    /// As it was when the batch was read.
    pub(super) horizon: Horizon,
}

/// Up to where everything that will ever be there is visible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizon {
    end: Position,
    /// Transactions are open that may hold back what is committed.
    pub(super) held_back: bool,
}

/// Every transaction below it has ended, so that its rows are visible to the query that follows.
async fn horizon(connection: &Object) -> Result<Horizon, PostgresError> {
    let query = "select pg_snapshot_xmin(snapshot)::text::bigint, pg_snapshot_xmin(snapshot) < \
                 pg_snapshot_xmax(snapshot) from pg_current_snapshot() snapshot";
    let row = connection.query_typed_one(query, &[]).await?;
    Ok(Horizon {
        end: Position::before(row.get(0)),
        held_back: row.get(1),
    })
}

/// While Postgres has no statistics of the table, it would rather read all of it and sort, for each batch.
const IN_ORDER_OF_THE_INDEX: &str = "set local enable_seqscan = off; set local enable_bitmapscan = off; set local \
                                     enable_sort = off";

/// Reads so many rows at the most, and stops behind the one with which they have so many bytes; up to the end of the
/// scan, where it is known that all up to there is visible.
pub(super) async fn batch(
    connection: &mut Object,
    scan: Scan,
    known: Option<Horizon>,
    (rows, bytes): (usize, usize),
) -> Result<Batch, PostgresError> {
    let horizon = match known {
        Some(horizon) => horizon,
        None => horizon(connection).await?,
    };
    let end = scan.upto.map_or(horizon.end, |upto| upto.min(horizon.end));
    let nothing = |scan: Scan| Batch {
        reaches: scan.after.max(end),
        scan,
        rows: Vec::new(),
        exhausted: true,
        horizon,
    };
    if end <= scan.after {
        return Ok(nothing(scan));
    }
    let query = format!(
        "select {COLUMNS} from ordered_outbox outbox where (outbox.xid, outbox.position) > ($1::bigint::text::xid8, \
         $2) and (outbox.xid, outbox.position) <= ($3::bigint::text::xid8, $4) and outbox.shard = any($5) order by \
         outbox.xid, outbox.position limit $6"
    );
    let limit = i64::try_from(rows).unwrap_or(i64::MAX);
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 6] = [
        (&scan.after.xid, Type::INT8),
        (&scan.after.position, Type::INT8),
        (&end.xid, Type::INT8),
        (&end.position, Type::INT8),
        (&scan.shards, Type::INT2_ARRAY),
        (&limit, Type::INT8),
    ];
    // It ends with the value: nothing was written.
    let transaction = connection
        .build_transaction()
        .read_only(true)
        .start()
        .await?;
    let (set, stream) = tokio::join!(
        transaction.batch_execute(IN_ORDER_OF_THE_INDEX),
        transaction.query_typed_raw(&query, parameters)
    );
    set?;
    let mut stream = pin!(stream?);
    let mut read = Vec::new();
    let (mut size, mut cut) = (0, false);
    while let Some(row) = stream.try_next().await? {
        let row = OutboxRow::read(&row)?;
        size += row.size();
        read.push(row);
        if size >= bytes {
            // What the server still sends is thrown away.
            cut = true;
            break;
        }
    }
    let full = cut || read.len() == rows;
    match read.last() {
        None => Ok(nothing(scan)),
        Some(last) => Ok(Batch {
            reaches: if full { last.at } else { end },
            scan,
            exhausted: !full,
            horizon,
            rows: read,
        }),
    }
}

/// Which of these events of keys lie behind this position, and so are not published.
pub(super) async fn unpublished(
    connection: &Object,
    events: &[(&str, i64)],
    behind: Position,
) -> Result<Vec<String>, PostgresError> {
    let (keys, seqs): (Vec<&str>, Vec<i64>) = events.iter().copied().unzip();
    let query = "select event.key from unnest($1::text[], $2::bigint[]) as event (key, seq) join ordered_outbox outbox \
         on outbox.aggregate_id = event.key and outbox.seq = event.seq \
         where (outbox.xid, outbox.position) > ($3::bigint::text::xid8, $4)";
    let rows = connection
        .query_typed(
            query,
            &[
                (&keys, Type::TEXT_ARRAY),
                (&seqs, Type::INT8_ARRAY),
                (&behind.xid, Type::INT8),
                (&behind.position, Type::INT8),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The first event of the key that lies behind this position, below this seq.
pub(super) async fn first_unpublished(
    connection: &Object,
    key: &str,
    below: i64,
    behind: Position,
) -> Result<Option<i64>, PostgresError> {
    let query = "select min(outbox.seq) from ordered_outbox outbox where outbox.aggregate_id = $1 and outbox.seq < $2 \
         and (outbox.xid, outbox.position) > ($3::bigint::text::xid8, $4)";
    let row = connection
        .query_typed_one(
            query,
            &[
                (&key, Type::TEXT),
                (&below, Type::INT8),
                (&behind.xid, Type::INT8),
                (&behind.position, Type::INT8),
            ],
        )
        .await?;
    Ok(row.get(0))
}

/// The events of a key from this seq to that one, so many at the most. Whatever is visible of a key is complete up to
/// it: who minted a seq did so after the one before was committed.
pub(super) async fn of_key(
    connection: &Object,
    key: &str,
    (from, to): (i64, i64),
    rows: usize,
    bytes: usize,
) -> Result<Vec<OutboxRow>, PostgresError> {
    let query = format!(
        "select {COLUMNS} from ordered_outbox outbox where outbox.aggregate_id = $1 and outbox.seq between $2 and $3 \
         order by outbox.seq limit $4"
    );
    let limit = i64::try_from(rows).unwrap_or(i64::MAX);
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
        (&key, Type::TEXT),
        (&from, Type::INT8),
        (&to, Type::INT8),
        (&limit, Type::INT8),
    ];
    let mut stream = pin!(connection.query_typed_raw(&query, parameters).await?);
    let mut read = Vec::new();
    let mut size = 0;
    while let Some(row) = stream.try_next().await? {
        let row = OutboxRow::read(&row)?;
        size += row.size();
        read.push(row);
        if size >= bytes {
            break;
        }
    }
    Ok(read)
}
