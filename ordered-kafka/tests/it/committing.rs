//! What is committed, and when.

use std::time::Duration;

use ordered_core::transport::{
    ConsumeOptions, Disposition, Reason, ReasonKind, Settlement, Token, Transport,
};
use ordered_testkit::{eventually, eventually_within};

use crate::support::{Consumer, Topic, consumer::bodies};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_prefix_that_is_settled_is_committed_without_being_asked() {
    let topic = Topic::shared(1).await;
    topic.publish_numbered(0..10).await;
    let consumer = Consumer::start(topic.connect(), 20).await;
    let deliveries = consumer.take(10).await;
    consumer.ack(&deliveries[5..]).await;
    consumer.ack(&deliveries[..3]).await;
    eventually_within(LONG, "three are committed", async || {
        topic.committed_in_all(&topic.name) == 3
    })
    .await;
    consumer.ack(&deliveries[3..5]).await;
    eventually_within(LONG, "all are", async || {
        topic.committed_in_all(&topic.name) == 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_commits_what_the_interval_has_not() {
    let topic = Topic::shared(2).await;
    topic
        .publish((0..40).map(|n| crate::support::topic::keyed(&n.to_string(), "x")))
        .await;
    let hourly = topic
        .connect()
        .group("g")
        .commit_interval(Duration::from_secs(3_600));
    let consumer = Consumer::start(hourly, 100).await;
    let deliveries = consumer.take(40).await;
    consumer.ack(&deliveries).await;
    assert_eq!(topic.committed_in_all("g"), 0);
    consumer.close().await;
    assert_eq!(topic.committed_in_all("g"), 40);
}

/// The place of the group is its own: another group reads everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_groups_read_all_of_a_topic() {
    let topic = Topic::shared(1).await;
    topic.publish_numbered(0..5).await;
    for group in ["one", "other"] {
        let consumer = Consumer::start(topic.connect().group(group), 10).await;
        let deliveries = consumer.take(5).await;
        assert_eq!(bodies(&deliveries), ["0", "1", "2", "3", "4"]);
        consumer.ack(&deliveries).await;
        consumer.close().await;
    }
}

/// What a worker does not settle for long keeps the rest from being committed, and from being read without an end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_not_read_too_far_ahead_of_what_is_committed() {
    let topic = Topic::shared(1).await;
    topic.publish_numbered(0..200).await;
    let consumer = Consumer::start(topic.connect().max_uncommitted(50), 10).await;
    let first = consumer.take(1).await;
    let mut last = 0;
    // It is paused when the bound is met, with what is in the client already behind it.
    while let Ok(received) =
        tokio::time::timeout(Duration::from_secs(2), consumer.0.receive(10)).await
    {
        let received = received.unwrap();
        last += received.len();
        consumer.ack(&received).await;
    }
    assert!(
        (49..60).contains(&last),
        "{last} came behind the one that is not settled"
    );
    consumer.ack(&first).await;
    let rest = 199 - last;
    let mut taken = 0;
    while taken < rest {
        let received = consumer.take(1).await;
        consumer.ack(&received).await;
        taken += received.len();
    }
    eventually(" all is committed", async || {
        topic.committed_in_all(&topic.name) == 200
    })
    .await;
}

/// A worker without room for more is still a member of its group, and goes on where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_full_stays_a_member() {
    let topic = Topic::shared(1).await;
    topic.publish_numbered(0..30).await;
    // Longer than this without a poll, and the client leaves the group.
    let url = format!(
        "{}?session.timeout.ms=6000&max.poll.interval.ms=6000",
        topic.url
    );
    let consumer = Consumer::start(ordered_kafka::Kafka::connect(url).topic(&topic.name), 4).await;
    let deliveries = consumer.take(4).await;
    consumer.nothing(Duration::from_secs(8)).await;
    consumer.ack(&deliveries).await;
    let mut all = bodies(&deliveries);
    while all.len() < 30 {
        let more = consumer.take(1).await;
        consumer.ack(&more).await;
        all.extend(bodies(&more));
    }
    let expected: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(all, expected, "nothing came twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_not_started_says_so() {
    let topic = Topic::shared(1).await;
    let kafka = topic.connect().await.unwrap();
    let error = kafka.receive(1).await.unwrap_err().to_string();
    assert!(error.contains("has not been started"), "{error}");
    let dead = Disposition::DeadLetter(Reason {
        kind: ReasonKind::Malformed,
        text: String::new(),
    });
    let settlement = Settlement {
        token: Token(1),
        disposition: dead,
    };
    assert!(kafka.settle(vec![settlement]).await.is_err());
    kafka.close().await.unwrap();
    kafka
        .start(ConsumeOptions { max_unsettled: 1 })
        .await
        .unwrap();
    let error = kafka
        .start(ConsumeOptions { max_unsettled: 1 })
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("started before"), "{error}");
}
