//! The broker goes, and comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use ordered_core::transport::Publish;
use ordered_testkit::eventually_within;
use ordered_testkit::server::KafkaServer;

use crate::support::{Consumer, Topic, consumer::bodies, topic::keyed};

const LONG: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_and_started_again_loses_nothing() {
    let mut server = KafkaServer::exclusive().await.unwrap();
    let topic = Topic::on(&server, 2, &[]).await;
    let publisher = topic.publisher().await;
    let event = |number: usize| keyed(&number.to_string(), &number.to_string());
    publisher
        .publish((0..50).map(event).collect())
        .await
        .unwrap();
    let consumer = Consumer::start(topic.connect(), 100).await;
    let deliveries = consumer.take(50).await;
    consumer.ack(&deliveries[..20]).await;
    let mut seen: BTreeSet<String> = bodies(&deliveries[..20]).into_iter().collect();
    server.kill();
    // The worker knows nothing of it.
    consumer.ack(&deliveries[20..]).await;
    seen.extend(bodies(&deliveries[20..]));
    server.start_again().await.unwrap();
    publisher
        .publish((50..100).map(event).collect())
        .await
        .unwrap();
    while seen.len() < 100 {
        let received = consumer.take(1).await;
        consumer.ack(&received).await;
        seen.extend(bodies(&received));
    }
    eventually_within(LONG, "all is committed", async || {
        topic.committed_in_all(&topic.name) == 100
    })
    .await;
    consumer.close().await;
}

/// What is published meanwhile is there once the broker answers again, once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_hangs_is_waited_for() {
    let server = KafkaServer::exclusive().await.unwrap();
    let topic = Topic::on(&server, 1, &[]).await;
    let publisher = topic.publisher().await;
    publisher.publish(vec![keyed("a", "0")]).await.unwrap();
    server.pause();
    let publishing = publisher.publish((1..50).map(|n| keyed("a", &n.to_string())).collect());
    let later = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.resume();
    };
    let (published, ()) = tokio::join!(publishing, later);
    published.unwrap();
    let read = topic.read(&topic.name);
    let read: Vec<String> = read
        .iter()
        .map(|message| {
            String::from_utf8(rdkafka::Message::payload(message).unwrap().to_vec()).unwrap()
        })
        .collect();
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(read, expected);
}

/// Nothing can be committed, and closing does not wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_without_a_broker_ends_and_says_so() {
    let mut server = KafkaServer::exclusive().await.unwrap();
    let topic = Topic::on(&server, 1, &[]).await;
    topic.publish_numbered(0..5).await;
    let slow = topic
        .connect()
        .commit_interval(Duration::from_secs(3_600))
        .answer_within(Duration::from_secs(5));
    let consumer = Consumer::start(slow, 10).await;
    let deliveries = consumer.take(5).await;
    server.kill();
    consumer.ack(&deliveries).await;
    use ordered_core::transport::Transport;
    let error = consumer.0.close().await.unwrap_err().to_string();
    assert!(error.contains("delivered again"), "{error}");
}
