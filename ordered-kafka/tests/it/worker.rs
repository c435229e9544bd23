//! Whole workers on a topic.

use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::store::MemoryStore;
use ordered_testkit::eventually_within;

use crate::support::{Topic, recording_handler::RecordingHandler, topic::keyed};

const LONG: Duration = Duration::from_secs(120);

fn event(key: &str, seq: u64) -> Envelope {
    keyed(key, &seq.to_string())
}

/// A key waits for its first event, and ten thousand events of it are held: its partition is read and committed as if
/// they were not, also by the worker that takes the partition over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_not_held_up_by_a_key_that_waits_for_a_gap() {
    const HELD: u64 = 10_000;
    let topic = Topic::shared(1).await;
    let (store, handler) = (MemoryStore::new(), RecordingHandler::default());
    let first = handler
        .start(topic.connect(), &store, |worker| worker.id("w1"))
        .await;
    topic
        .publish((2..=HELD + 1).map(|seq| event("waits", seq)))
        .await;
    topic
        .publish((1..=500).map(|seq| event("flows", seq)))
        .await;
    let all = i64::try_from(HELD).unwrap() + 500;
    eventually_within(LONG, "the other key is handled", async || {
        handler.handled("flows").len() == 500
    })
    .await;
    eventually_within(LONG, "nothing lags", async || {
        topic.committed_in_all(&topic.name) == all
    })
    .await;
    assert_eq!(handler.handled("waits"), [0; 0]);
    // A rebalance meanwhile.
    let second = handler
        .start(topic.connect(), &store, |worker| worker.id("w2"))
        .await;
    first.stop().await;
    topic
        .publish((501..=600).map(|seq| event("flows", seq)))
        .await;
    eventually_within(LONG, "nothing lags still", async || {
        topic.committed_in_all(&topic.name) == all + 100
    })
    .await;
    topic.publish([event("waits", 1)]).await;
    eventually_within(LONG, "the key goes on", async || {
        handler.total() == usize::try_from(all).unwrap() + 101
    })
    .await;
    second.stop().await;
    assert!(handler.handled("waits").into_iter().eq(1..=HELD + 1));
    assert!(handler.handled("flows").into_iter().eq(1..=600));
}

/// Its group of Kafka is set back on purpose: all of it comes again, and nothing is handled again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_again_is_not_handled_again() {
    let topic = Topic::shared(2).await;
    let (store, handler) = (MemoryStore::new(), RecordingHandler::default());
    topic
        .publish((1..=50).flat_map(|seq| ["a", "b", "c"].map(|key| event(key, seq))))
        .await;
    for group in ["one", "other"] {
        let worker = handler
            .start(topic.connect().group(group), &store, |worker| {
                worker.id(group)
            })
            .await;
        eventually_within(LONG, "all is committed", async || {
            topic.committed_in_all(group) == 150
        })
        .await;
        worker.stop().await;
    }
    for key in ["a", "b", "c"] {
        assert!(handler.handled(key).into_iter().eq(1..=50), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_without_a_record_key_is_dead_lettered_where_the_key_is_asked_for() {
    let topic = Topic::shared(1).await;
    let (store, handler) = (MemoryStore::new(), RecordingHandler::default());
    let worker = handler
        .start(topic.connect(), &store, |worker| worker)
        .await;
    topic.publish([Envelope::new("1"), event("a", 1)]).await;
    eventually_within(LONG, "both are settled", async || {
        topic.committed_in_all(&topic.name) == 2
    })
    .await;
    worker.stop().await;
    let letters = topic.dead_letters();
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].text.contains("the record has no key"),
        "{}",
        letters[0].text
    );
    assert_eq!(handler.handled("a"), [1]);
}
