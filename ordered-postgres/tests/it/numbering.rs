use ordered_postgres::{Outbox, OutboxEvent, PostgresError, PostgresErrorKind};
use tokio::task::JoinSet;
use tokio_postgres::IsolationLevel::{ReadCommitted, RepeatableRead};
use tokio_postgres::{Client, Transaction};

use crate::support::{connect, database, event};

const WRITERS: u64 = 8;
const TRANSACTIONS: u64 = 300;
const KEYS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_seq_is_missing_after_thousands_of_transactions_with_rollbacks_savepoints_and_serialization_failures()
 {
    // Deadlocks are found at once, since there are hundreds.
    let url = database().await + "?options=-cdeadlock_timeout%3D5";
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let url = url.clone();
        writers.spawn(async move { write(connect(&url).await, writer).await });
    }
    let mut sum = Written::default();
    for written in writers.join_all().await {
        sum.staged += written.staged;
        sum.conflicts += written.conflicts;
        sum.taken_back += written.taken_back;
    }
    println!("{sum:?}");
    assert!(sum.conflicts > 0 && sum.taken_back > 100, "{sum:?}");

    let client = connect(&url).await;
    let holes = "select aggregate_id, count(*), max(seq), min(seq) from ordered_outbox group by 1 having max(seq) <> \
                 count(*) or min(seq) <> 1";
    let holes = client.query(holes, &[]).await.unwrap();
    assert!(holes.is_empty(), "{holes:?}");
    let counted =
        "select count(*), (select sum(last_seq)::bigint from ordered_counters) from ordered_outbox";
    let counted = client.query_one(counted, &[]).await.unwrap();
    let counted: (i64, i64) = (counted.get(0), counted.get(1));
    assert_eq!(counted, (sum.staged, sum.staged));
    // The order in which rows were inserted is that of the numbers, within each key.
    let inverted = "select 1 from (select position, lag(position) over (partition by aggregate_id order by seq) as \
                    before from ordered_outbox) o where before > position";
    assert!(client.query(inverted, &[]).await.unwrap().is_empty());
}

#[derive(Debug, Default)]
struct Written {
    staged: i64,
    conflicts: u64,
    taken_back: u64,
}

async fn write(mut client: Client, writer: u64) -> Written {
    let mut random = fastrand::Rng::with_seed(writer);
    let mut written = Written::default();
    for _ in 0..TRANSACTIONS {
        let isolation = if random.u8(..4) == 0 {
            RepeatableRead
        } else {
            ReadCommitted
        };
        let builder = client.build_transaction().isolation_level(isolation);
        let mut tx = builder.start().await.unwrap();
        match stage_some(&mut tx, &mut random, &mut written).await {
            Ok(staged) if random.u8(..5) > 0 => {
                tx.commit().await.unwrap();
                written.staged += staged;
            }
            Ok(_) => {
                tx.rollback().await.unwrap();
                written.taken_back += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), PostgresErrorKind::Conflict, "{error}");
                tx.rollback().await.unwrap();
                written.conflicts += 1;
            }
        }
    }
    written
}

async fn stage_some(
    tx: &mut Transaction<'_>,
    random: &mut fastrand::Rng,
    written: &mut Written,
) -> Result<i64, PostgresError> {
    let mut staged = 0;
    // A snapshot, so that what others commit from here on is a conflict under REPEATABLE READ.
    tx.query_typed("select 1 from ordered_counters limit 1", &[])
        .await?;
    for _ in 0..random.u8(1..4) {
        let mut savepoint = tx.transaction().await?;
        let many = random.i64(1..4);
        let events: Vec<OutboxEvent> = (0..many)
            .map(|_| event(&format!("key-{}", random.u64(..KEYS)), "{}"))
            .collect();
        if let [single] = &events[..] {
            Outbox::stage(&mut savepoint, single).await?;
        } else {
            Outbox::stage_all(&mut savepoint, &events).await?;
        }
        if random.u8(..4) == 0 {
            savepoint.rollback().await?;
            written.taken_back += 1;
        } else {
            savepoint.commit().await?;
            staged += many;
        }
    }
    Ok(staged)
}
