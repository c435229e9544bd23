//! Members that come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use ordered_core::transport::{Publish, Transport};
use ordered_kafka::Kafka;
use ordered_testkit::eventually_within;
use tokio::time::timeout;

use crate::support::{Consumer, Topic, consumer::bodies, consumer::partition, topic::keyed};

const LONG: Duration = Duration::from_secs(60);

async fn publish_over_all(topic: &Topic, numbers: std::ops::Range<usize>) {
    let event = |number: usize| keyed(&number.to_string(), &number.to_string());
    topic.publish(numbers.map(event)).await;
}

/// Takes and acknowledges until nothing came for this time.
async fn drain(consumer: &Consumer, quiet: Duration) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(received) = timeout(quiet, consumer.0.receive(50)).await {
        let received = received.unwrap();
        consumer.ack(&received).await;
        all.extend(bodies(&received));
    }
    all
}

/// What the first had of the partitions that it gave up is given to the second, settles nothing in the hands of the
/// first, and is not committed by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_of_a_partition_that_was_given_up_settles_nothing() {
    let topic = Topic::shared(4).await;
    publish_over_all(&topic, 0..80).await;
    let first = Consumer::start(topic.connect(), 200).await;
    let had = first.take(80).await;
    let second = Consumer::start(topic.connect(), 200).await;
    let again = second.take(1).await;
    let moved: BTreeSet<i32> = {
        let mut all = again.clone();
        while let Ok(more) = timeout(Duration::from_secs(3), second.0.receive(200)).await {
            all.extend(more.unwrap());
        }
        let moved: BTreeSet<i32> = all.iter().map(partition).collect();
        let of_moved = had
            .iter()
            .filter(|delivery| moved.contains(&partition(delivery)));
        assert_eq!(all.len(), of_moved.count(), "all of them came, each once");
        moved
    };
    assert_eq!(moved.len(), 2, "the partitions are shared evenly");
    // All that the first has had, also of what it has no longer.
    first.ack(&had).await;
    let kept = had
        .iter()
        .filter(|delivery| !moved.contains(&partition(delivery)));
    let kept = i64::try_from(kept.count()).unwrap();
    eventually_within(LONG, "the first commits what it has", async || {
        topic.committed_in_all(&topic.name) == kept
    })
    .await;
    first.close().await;
    let committed = topic.committed(&topic.name);
    assert!(
        committed.keys().all(|partition| !moved.contains(partition)),
        "{committed:?}"
    );
    second.close().await;
}

/// Cooperatively: what stays with a member is read on, and nothing of it comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_leaves_hands_over_where_it_was() {
    let topic = Topic::shared(4).await;
    let first = Consumer::start(topic.connect(), 50).await;
    let second = Consumer::start(topic.connect(), 50).await;
    publish_over_all(&topic, 0..200).await;
    let (mut of_first, of_second) = tokio::join!(
        drain(&first, Duration::from_secs(4)),
        drain(&second, Duration::from_secs(4))
    );
    second.close().await;
    publish_over_all(&topic, 200..300).await;
    let rest = timeout(LONG, async {
        let mut rest = Vec::new();
        while of_first.len() + of_second.len() + rest.len() < 300 {
            let received = first.take(1).await;
            first.ack(&received).await;
            rest.extend(bodies(&received));
        }
        rest
    });
    of_first.extend(rest.await.unwrap());
    let all: BTreeSet<&String> = of_first.iter().chain(&of_second).collect();
    assert_eq!(all.len(), 300, "all came");
    first.nothing(Duration::from_secs(1)).await;
    eventually_within(LONG, "all is committed", async || {
        topic.committed_in_all(&topic.name) == 300
    })
    .await;
}

/// The client keeps a partition paused that is given up, and assigned again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_given_up_while_it_is_paused_is_read_when_it_comes_back() {
    let topic = Topic::shared(2).await;
    publish_over_all(&topic, 0..100).await;
    // No room for more: it reads nothing while the other one joins.
    let first = Consumer::start(topic.connect(), 20).await;
    let had = first.take(20).await;
    let second = Consumer::start(topic.connect(), 20).await;
    second.take(1).await;
    second.close().await;
    first.ack(&had).await;
    let all: BTreeSet<String> = timeout(LONG, async {
        let mut all: BTreeSet<String> = bodies(&had).into_iter().collect();
        while all.len() < 100 {
            let received = first.take(1).await;
            first.ack(&received).await;
            all.extend(bodies(&received));
        }
        all
    })
    .await
    .unwrap();
    assert_eq!(all.len(), 100);
    first.close().await;
}

/// As the offsets of the group are seen from outside, while members come and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn offsets_never_go_back() {
    let topic = Topic::shared(3).await;
    let stay = Consumer::start(topic.connect(), 30).await;
    let all = tokio::sync::Mutex::new(BTreeSet::new());
    let done = std::sync::atomic::AtomicBool::new(false);
    let work = async |consumer: &Consumer| {
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let Ok(received) = timeout(Duration::from_millis(200), consumer.0.receive(7)).await
            else {
                continue;
            };
            let mut received = received.unwrap();
            // Out of order.
            received.reverse();
            consumer.ack(&received).await;
            all.lock().await.extend(bodies(&received));
        }
    };
    let others = async {
        for round in 0..4 {
            publish_over_all(&topic, round * 100..(round + 1) * 100).await;
            let other = Consumer::start(topic.connect(), 30).await;
            let received = timeout(Duration::from_secs(10), other.0.receive(5)).await;
            if let Ok(received) = received {
                let received = received.unwrap();
                other.ack(&received).await;
                all.lock().await.extend(bodies(&received));
            }
            other.close().await;
        }
        eventually_within(LONG, "all was handled", async || {
            all.lock().await.len() == 400
        })
        .await;
        eventually_within(LONG, "all is committed", async || {
            topic.committed_in_all(&topic.name) == 400
        })
        .await;
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let watch = async {
        let mut highest = std::collections::BTreeMap::new();
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            for (partition, offset) in tokio::task::block_in_place(|| topic.committed(&topic.name))
            {
                let before = highest.insert(partition, offset).unwrap_or(0);
                assert!(
                    offset >= before,
                    "partition {partition} went from {before} to {offset}"
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(work(&stay), others, watch);
    stay.close().await;
}

/// Nothing is drained or stopped for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_are_read() {
    let topic = Topic::shared(1).await;
    let often = format!("{}?topic.metadata.refresh.interval.ms=500", topic.url);
    let often = Kafka::connect(often).topic(&topic.name);
    let consumer = Consumer::start(often, 50).await;
    publish_over_all(&topic, 0..20).await;
    let mut seen = drain(&consumer, Duration::from_secs(3)).await;
    topic.grow(6).await;
    // A producer of its own, which knows of them.
    let publisher = topic.connect().publisher().await.unwrap();
    let event = |number: usize| keyed(&number.to_string(), &number.to_string());
    publisher
        .publish((20..120).map(event).collect())
        .await
        .unwrap();
    while seen.len() < 120 {
        let received = consumer.take(1).await;
        consumer.ack(&received).await;
        seen.extend(bodies(&received));
    }
    let all: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(all.len(), 120, "each came once");
    consumer.close().await;
    assert_eq!(topic.committed_in_all(&topic.name), 120);
    assert!(topic.committed(&topic.name).len() > 3);
}
