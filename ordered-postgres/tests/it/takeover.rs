use std::sync::Arc;
use std::time::Duration;

use ordered_postgres::{Outbox, OutboxEvent, status};
use ordered_testkit::eventually;
use tokio::task::JoinSet;

use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{Running, connect, database, event, everything_was_looked_at, relay, stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_that_are_killed_and_replaced_repeat_events_and_neither_lose_nor_reorder_any() {
    const WRITERS: usize = 4;
    const TRANSACTIONS: usize = 150;
    let url = database().await;
    let publisher = RecordingPublisher::new();
    let start = || Running::start(relay(&url, &publisher).batch(20));
    let mut relays = vec![start(), start()];
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let url = url.clone();
        writers.spawn(async move { write(&url, writer, TRANSACTIONS).await });
    }
    let staged = std::sync::atomic::AtomicUsize::new(0);
    for round in 0..6 {
        // While events are on their way, and each time another one.
        let seen = publisher.events().len();
        let all_staged = writers.is_empty();
        eventually("events are on their way", async || {
            all_staged || publisher.events().len() > seen + 50
        })
        .await;
        relays.remove(round % 2).kill().await;
        relays.push(start());
        while let Some(done) = writers.try_join_next() {
            staged.fetch_add(done.unwrap(), std::sync::atomic::Ordering::Relaxed);
        }
    }
    let rest: usize = writers.join_all().await.into_iter().sum();
    let staged = rest + staged.into_inner();
    publisher.has(staged).await;
    let times = publisher.in_order();
    let different: usize = times.values().map(Vec::len).sum();
    assert_eq!(different, staged);
    println!("{staged} staged, {} published", publisher.events().len());

    // Both of the last two have their part.
    let client = connect(&url).await;
    eventually("both have their part", async || {
        let relays = status::status(&client).await.unwrap().relays;
        let alive = relays
            .iter()
            .filter(|relay| relay.alive && relay.shards > 0);
        alive.map(|relay| relay.shards).collect::<Vec<_>>() == [8, 8]
    })
    .await;
}

async fn write(url: &str, writer: usize, transactions: usize) -> usize {
    let mut client = connect(url).await;
    let mut random = fastrand::Rng::with_seed(writer as u64);
    let mut staged = 0;
    for _ in 0..transactions {
        let mut tx = client.transaction().await.unwrap();
        // Some write before they stage, so that the order of transactions is not that of the seqs.
        if random.bool() {
            tx.batch_execute("select pg_current_xact_id()")
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
        let many = random.usize(1..6);
        let events: Vec<OutboxEvent> = (0..many)
            .map(|_| event(&format!("key-{}", random.u8(..20)), "{}"))
            .collect();
        Outbox::stage_all(&mut tx, &events).await.unwrap();
        if random.u8(..8) == 0 {
            tx.rollback().await.unwrap();
        } else {
            tx.commit().await.unwrap();
            staged += many;
        }
    }
    staged
}

#[tokio::test]
async fn a_relay_that_dies_between_confirm_and_mark_is_followed_by_duplicates_and_no_gap() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let relay_of = |publisher: &Arc<RecordingPublisher>| Running::start(relay(&url, publisher));
    let first = relay_of(&publisher);
    stage(&mut client, &["a", "b"]).await;
    publisher.has(2).await;
    everything_was_looked_at(&client).await;
    publisher.hold_confirms();
    stage(&mut client, &["a", "b", "a"]).await;
    publisher.has(5).await;
    first.kill().await;
    publisher.confirm_again();
    let _second = relay_of(&publisher);
    eventually("all is repeated", async || publisher.events().len() == 8).await;
    let times = publisher.in_order();
    assert_eq!(times["a"], [1, 2, 2]);
    assert_eq!(times["b"], [1, 2]);
    stage(&mut client, &["a"]).await;
    publisher.has(6).await;
    assert_eq!(publisher.events().len(), 9);
}

#[tokio::test]
async fn a_relay_that_was_taken_for_dead_writes_nothing_more_about_what_others_have() {
    let url = database().await;
    let mut client = connect(&url).await;
    let (slow, fast) = (RecordingPublisher::new(), RecordingPublisher::new());
    let long = Duration::from_secs(600);
    let _paused = Running::start(relay(&url, &slow).name("paused").lease(long));
    stage(&mut client, &["k"]).await;
    slow.has(1).await;
    everything_was_looked_at(&client).await;
    slow.hold_confirms();
    stage(&mut client, &["k", "k"]).await;
    slow.has(3).await;

    let dead = "update ordered_relays set alive_until = clock_timestamp() - interval '1 s'";
    client.batch_execute(dead).await.unwrap();
    let _other = Running::start(relay(&url, &fast).name("other"));
    fast.has(2).await;
    stage(&mut client, &["k"]).await;
    fast.has(3).await;
    everything_was_looked_at(&client).await;

    // What the first had sent is confirmed to it now.
    slow.confirm_again();
    stage(&mut client, &["k"]).await;
    fast.has(4).await;
    everything_was_looked_at(&client).await;
    // It learns that it has lost the key with what it writes down, while its next batch is on the way.
    assert!(slow.calls().len() <= 3, "{:?}", slow.calls());
    slow.in_order();
    assert_eq!(fast.seqs("k"), [2, 3, 4, 5]);
    let status = status::status(&client).await.unwrap();
    let of = |name: &str| status.relays.iter().find(|relay| relay.name == name);
    assert_eq!(
        of("other").map(|relay| relay.shards),
        Some(16),
        "{status:?}"
    );
    assert_eq!(status.pending.events, 0);
}

#[tokio::test]
async fn a_relay_that_is_to_end_does_not_wait_for_a_broker_forever() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let short = Duration::from_millis(50);
    let first = Running::start(relay(&url, &publisher).drain_timeout(short));
    publisher.hold_confirms();
    stage(&mut client, &["a", "b"]).await;
    publisher.has(2).await;
    first.stop().await.unwrap();
    publisher.confirm_again();
    let _second = Running::start(relay(&url, &publisher));
    eventually("all is repeated", async || publisher.events().len() == 4).await;
    publisher.in_order();
}
