use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::metrics;
use super::row::Position;
use crate::error::PostgresError;
use crate::pool::Connections;

/// How many rows one statement looks at.
const ROWS: i64 = 5_000;
/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_secs(60);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// Removes, again and again, what is published and older than this, and requests that were answered long ago.
pub(super) async fn remove(pool: Connections, keep: Option<Duration>) {
    let pause = keep
        .map_or(PAUSE, |keep| keep / 10)
        .clamp(SHORTEST_PAUSE, PAUSE);
    loop {
        let removed = match keep {
            Some(keep) => remove_once(&pool, keep).await,
            None => Ok(0),
        };
        let removed = match removed {
            Ok(removed) => forget_repairs(&pool).await.map(|()| removed),
            Err(error) => Err(error),
        };
        match removed {
            Ok(removed) => metrics::removed(removed),
            Err(error) => tracing::warn!(%error, "old events of the outbox cannot be removed"),
        }
        sleep(pause).await;
    }
}

async fn forget_repairs(pool: &Connections) -> Result<(), PostgresError> {
    let connection = pool.get().await?;
    let query =
        "delete from ordered_repairs where answered_at < clock_timestamp() - interval '30 days'";
    connection.query_typed(query, &[]).await?;
    Ok(())
}

async fn remove_once(pool: &Connections, keep: Duration) -> Result<u64, PostgresError> {
    let connection = pool.get().await?;
    let seconds = keep.as_secs_f64();
    let mut removed = 0;
    let mut after = Position {
        xid: 0,
        position: 0,
    };
    loop {
        // From the oldest on, page by page, up to the first page that ends with one that is not old enough, or that
        // some shard has not passed. What a key that lags has not published stays.
        let query = "with page as materialized (
                select outbox.xid, outbox.position, outbox.aggregate_id, outbox.seq, outbox.created_at
                from ordered_outbox outbox
                where (outbox.xid, outbox.position) > ($1::bigint::text::xid8, $2)
                order by outbox.xid, outbox.position limit $3
            ), removed as (
                delete from ordered_outbox using page,
                    (select xid, position from ordered_relay_shards order by xid, position limit 1) passed
                where ordered_outbox.aggregate_id = page.aggregate_id and ordered_outbox.seq = page.seq
                    and page.created_at < clock_timestamp() - make_interval(secs => $4)
                    and (page.xid, page.position) <= (passed.xid, passed.position)
                    and not exists (select 1 from ordered_relay_lagging lagging
                        where lagging.key = page.aggregate_id and page.seq >= lagging.next_seq)
                returning 1
            ), last as (
                select page.xid::text::bigint as number, page.position,
                    page.created_at < clock_timestamp() - make_interval(secs => $4) as old
                from page order by page.xid desc, page.position desc limit 1
            )
            select number, position, old, (select count(*) from removed), (select count(*) from page) from last";
        let row = connection
            .query_typed_opt(
                query,
                &[
                    (&after.xid, Type::INT8),
                    (&after.position, Type::INT8),
                    (&ROWS, Type::INT8),
                    (&seconds, Type::FLOAT8),
                ],
            )
            .await?;
        let Some(row) = row else {
            return Ok(removed);
        };
        let (gone, looked): (i64, i64) = (row.get(3), row.get(4));
        removed += u64::try_from(gone).unwrap_or(0);
        after = Position {
            xid: row.get(0),
            position: row.get(1),
        };
        let old: bool = row.get(2);
        if !old || looked < ROWS || gone == 0 {
            return Ok(removed);
        }
    }
}
