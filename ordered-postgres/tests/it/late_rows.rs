//! Rows that become visible in another order than they were written in.

use ordered_postgres::{Outbox, status};

use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{Running, connect, database, event, everything_was_looked_at, relay, stage};

#[tokio::test]
async fn an_event_whose_transaction_began_first_and_commits_last_is_never_skipped() {
    let url = database().await;
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    let (mut slow, mut fast) = (connect(&url).await, connect(&url).await);
    stage(&mut fast, &["before"]).await;
    publisher.has(1).await;
    let mut open = slow.transaction().await.unwrap();
    Outbox::stage(&mut open, &event("slow", "1")).await.unwrap();
    for _ in 0..5 {
        stage(&mut fast, &["fast"]).await;
    }
    everything_was_looked_at(&fast).await;

    let pending = status::pending(&fast).await.unwrap();
    assert_eq!(pending.events, 5);
    let holds = pending.oldest_transaction.unwrap();
    assert_eq!(holds.state, "idle in transaction");
    let pid = open.query_one("select pg_backend_pid()", &[]).await;
    assert_eq!(holds.pid, pid.unwrap().get::<_, i32>(0));

    open.commit().await.unwrap();
    publisher.has(7).await;
    assert_eq!(publisher.seqs("slow"), [1]);
    assert_eq!(publisher.seqs("fast"), [1, 2, 3, 4, 5]);
}

/// The transaction that wrote first minted last, and a batch ends between the two.
#[tokio::test]
async fn seqs_stay_in_order_where_transactions_are_not() {
    let url = database().await;
    let (mut one, mut other) = (connect(&url).await, connect(&url).await);
    let mut early = one.transaction().await.unwrap();
    early
        .batch_execute("select pg_current_xact_id()")
        .await
        .unwrap();
    stage(&mut other, &["k", "other"]).await;
    stage(&mut other, &["k", "k"]).await;
    Outbox::stage_all(&mut early, &["k", "other", "k"].map(|key| event(key, "1")))
        .await
        .unwrap();
    early.commit().await.unwrap();
    stage(&mut other, &["k"]).await;

    for batch in 1..=4 {
        let publisher = RecordingPublisher::new();
        let relay = Running::start(relay(&url, &publisher).batch(batch));
        publisher.has(8).await;
        assert_eq!(publisher.seqs("k"), [1, 2, 3, 4, 5, 6], "batch {batch}");
        assert_eq!(publisher.seqs("other"), [1, 2], "batch {batch}");
        relay.stop().await.unwrap();
        let again = "update ordered_relay_shards set xid = '0', position = 0";
        other.batch_execute(again).await.unwrap();
    }
}

/// As before, and what comes first lies beyond a transaction that is still open.
#[tokio::test]
async fn an_event_does_not_overtake_one_of_its_key_that_is_held_back() {
    let url = database().await;
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    let (mut one, mut two) = (connect(&url).await, connect(&url).await);
    let mut other = connect(&url).await;
    let write = "select pg_current_xact_id()";
    let mut early = one.transaction().await.unwrap();
    early.batch_execute(write).await.unwrap();
    let open = two.transaction().await.unwrap();
    open.batch_execute(write).await.unwrap();
    stage(&mut other, &["k"]).await;
    Outbox::stage(&mut early, &event("k", "2")).await.unwrap();
    early.commit().await.unwrap();
    publisher.has(2).await;
    stage(&mut other, &["k"]).await;
    open.commit().await.unwrap();
    publisher.has(3).await;
    everything_was_looked_at(&other).await;
    assert_eq!(publisher.seqs("k"), [1, 2, 3]);
}
