//! What cannot be taken.

use std::time::Duration;

use ordered_core::transport::{Disposition, Transport};
use ordered_testkit::eventually_within;

use crate::support::{Consumer, Topic, consumer::bodies, consumer::partition, topic::keyed};

const LONG: Duration = Duration::from_secs(60);
const AN_HOUR: Disposition = Disposition::Defer(Duration::from_secs(3_600));

/// The others of its partition are paused, and so is nothing of another partition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_of_which_too_much_is_deferred_is_paused_alone() {
    let topic = Topic::shared(2).await;
    let keys: Vec<String> = (0..200).map(|key| key.to_string()).collect();
    topic.publish(keys.iter().map(|key| keyed(key, key))).await;
    let consumer = Consumer::start(topic.connect().max_deferred(3), 1).await;
    let mut blocked = None;
    let (mut deferred, mut others) = (0, 0);
    // Every event of the partition of the first one is deferred, and every other is taken.
    while let Ok(received) =
        tokio::time::timeout(Duration::from_secs(3), consumer.0.receive(1)).await
    {
        let delivery = received.unwrap().remove(0);
        if *blocked.get_or_insert(partition(&delivery)) == partition(&delivery) {
            deferred += 1;
            consumer.settle(delivery.token, AN_HOUR).await;
        } else {
            others += 1;
            consumer.ack([&delivery]).await;
        }
    }
    // One may have been read before the pause.
    assert!((3..=4).contains(&deferred), "{deferred} were deferred");
    let of_other = topic.read(&topic.name);
    let of_other = of_other
        .iter()
        .filter(|message| Some(rdkafka::Message::partition(*message)) != blocked);
    assert_eq!(others, of_other.count(), "all of the other partition came");
}

/// It is committed no further than before the deferred event, whoever passes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deferred_is_not_committed() {
    let topic = Topic::shared(1).await;
    topic.publish_numbered(0..6).await;
    let consumer = Consumer::start(topic.connect(), 10).await;
    let deliveries = consumer.take(6).await;
    consumer.settle(deliveries[2].token, AN_HOUR).await;
    consumer
        .ack(deliveries.iter().filter(|d| d.token != deliveries[2].token))
        .await;
    eventually_within(LONG, "what is before it is committed", async || {
        topic.committed_in_all(&topic.name) == 2
    })
    .await;
    consumer.close().await;
    let next = Consumer::start(topic.connect(), 10).await;
    let again = next.take(4).await;
    assert_eq!(bodies(&again), ["2", "3", "4", "5"]);
}

/// Before what was read after it: what was held up longest goes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_partition_goes_on_when_what_was_deferred_is_taken() {
    let topic = Topic::shared(1).await;
    topic.publish_numbered(0..50).await;
    let consumer = Consumer::start(topic.connect().max_deferred(1), 2).await;
    let first = consumer.take(1).await;
    let soon = Disposition::Defer(Duration::from_millis(1_500));
    consumer.settle(first[0].token, soon).await;
    let mut all = Vec::new();
    while all.len() < 50 {
        let received = consumer.take(1).await;
        consumer.ack(&received).await;
        all.extend(bodies(&received));
    }
    all.sort_by_key(|body| body.parse::<u32>().unwrap());
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(all, expected);
    eventually_within(LONG, "all is committed", async || {
        topic.committed_in_all(&topic.name) == 50
    })
    .await;
}
