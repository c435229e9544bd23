//! What is said when it cannot work as it is set up.

use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::transport::{ConsumeOptions, Publish, Transport, TransportErrorKind};
use ordered_kafka::{Kafka, KafkaBuilder};
use ordered_testkit::server::{KafkaOperation, KafkaResource, KafkaServer};
use ordered_testkit::{LogCapture, eventually_within, unique};
use tokio::time::timeout;

use crate::support::{Consumer, Topic};

const OPTIONS: ConsumeOptions = ConsumeOptions { max_unsettled: 10 };
const SOON: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);

async fn fails(builder: KafkaBuilder) -> String {
    let kafka = builder.answer_within(Duration::from_secs(5)).await.unwrap();
    let error = kafka.start(OPTIONS).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal, "{error}");
    error.to_string()
}

/// It reads, and ends with an error that has these words: perhaps not at once, for a broker hears late of the rights
/// that it gives.
async fn reading_fails(connect: impl Fn() -> KafkaBuilder, words: &[&str]) {
    eventually_within(LONG, "it is told what is missing", async || {
        let kafka = connect().answer_within(SOON).await.unwrap();
        if kafka.start(OPTIONS).await.is_err() {
            return false;
        }
        let failed = timeout(SOON, kafka.receive(1)).await;
        let Ok(Err(error)) = failed else {
            return false;
        };
        let error = error.to_string();
        words.iter().all(|word| error.contains(word))
    })
    .await;
}

#[track_caller]
fn assert_says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_is_named() {
    let topic = Topic::shared(1).await;
    let error = fails(topic.connect().topic("no-such-topic")).await;
    assert_says(
        &error,
        &["there is no topic `no-such-topic`", &topic.url, "--create"],
    );
    let topics = topic.connect().topic("no such topic!");
    assert_says(&fails(topics).await, &["cannot be the name of a topic"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_does_not_run_is_named() {
    let error = fails(Kafka::connect("kafka://127.0.0.1:1").topic("orders")).await;
    assert_says(
        &error,
        &[
            "cannot be reached at kafka://127.0.0.1:1",
            "Connection refused",
        ],
    );
    let error = fails(Kafka::connect("kafka://no-such-host.invalid").topic("orders")).await;
    assert_says(&error, &["no-such-host.invalid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_cannot_be_reached_is_named() {
    let mut server = KafkaServer::start().await.unwrap();
    let topic = Topic::on(&server, 1, &[]).await;
    // The broker answers where it is asked, and says that it is elsewhere.
    server
        .set("advertised.listeners", "PLAINTEXT://127.0.0.1:9")
        .unwrap();
    server.start_again().await.unwrap();
    let error = fails(topic.connect()).await;
    assert_says(
        &error,
        &["at 127.0.0.1:9", "`advertised.listeners`", &topic.url],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told_what_to_allow() {
    let server = KafkaServer::builder()
        .user("admin", "a-secret")
        .user("reader", "r-secret");
    let server = server.start().await.unwrap();
    let address = server.address();
    let connect = |user: &str| {
        let url = format!("kafka://{user}@{address}?security=sasl_plaintext");
        Kafka::connect(url).topic("orders")
    };
    let error = fails(connect("reader:wrong-secret")).await;
    assert_says(&error, &["refuses the user \"reader\"", "password"]);
    assert!(!error.contains("wrong-secret"), "{error}");
    let error = fails(connect("nobody:r-secret")).await;
    assert_says(&error, &["refuses the user \"nobody\""]);
    // The broker knows PLAIN alone.
    #[cfg(feature = "tls")]
    {
        let scram = "security=sasl_plaintext&mechanism=SCRAM-SHA-256";
        let url = format!("kafka://reader:r-secret@{address}?{scram}");
        let error = fails(Kafka::connect(url).topic("orders")).await;
        assert_says(&error, &["does not know this `mechanism`", "PLAIN"]);
    }
    // The first user makes the topic, which the second may not even see.
    let topic = Topic::on_with_user(&server, "admin", "a-secret").await;
    let error = fails(connect("reader:r-secret").topic(&topic)).await;
    assert_says(&error, &["\"reader\"", "no right", &topic, "READ"]);
    let kafka = connect("admin:a-secret").topic(&topic).await.unwrap();
    kafka.start(OPTIONS).await.unwrap();
    kafka.close().await.unwrap();
    // Each right that it is given shows the next one that is missing.
    let reader = || connect("reader:r-secret").topic(&topic);
    let may = async |operation, on| server.allow("reader", operation, on).await.unwrap();
    may(KafkaOperation::Describe, KafkaResource::Topic(&topic)).await;
    let missing = ["no right to be in the group", &topic, "READ", "?group="];
    reading_fails(reader, &missing).await;
    may(KafkaOperation::Read, KafkaResource::Group(&topic)).await;
    let missing = ["no right to read the topic", &topic, "READ and DESCRIBE"];
    reading_fails(reader, &missing).await;
    may(KafkaOperation::Read, KafkaResource::Topic(&topic)).await;
    let publisher = connect("admin:a-secret").topic(&topic).publisher();
    let publisher = publisher.await.unwrap();
    publisher.publish(vec![Envelope::new("one")]).await.unwrap();
    let logs = LogCapture::everywhere();
    eventually_within(LONG, "the reader reads", async || {
        let consumer = Consumer::start(reader(), 10).await;
        let read = timeout(SOON, consumer.0.receive(1)).await;
        let read = read.is_ok_and(|read| read.is_ok());
        let _ = consumer.0.close().await;
        read
    })
    .await;
    // It does without what it keeps of how far it was.
    let told = logs.lines(&[
        "no right to this group of Kafka",
        &format!("{topic}.settled"),
    ]);
    assert!(!told.is_empty());
    // A client that says nothing of itself.
    let plain = Kafka::connect(format!("kafka://{address}")).topic(&topic);
    assert_says(
        &fails(plain).await,
        &["cannot be reached", "for `plaintext`"],
    );
}

#[tokio::test]
async fn what_a_topic_does_not_promise_is_said() {
    let topic = Topic::with(
        3,
        &[("cleanup.policy", "compact"), ("retention.ms", "3600000")],
    )
    .await;
    let logs = LogCapture::of_this_thread();
    let kafka = topic.connect().await.unwrap();
    kafka.start(OPTIONS).await.unwrap();
    kafka.close().await.unwrap();
    let said = logs.text();
    for words in [
        "Kafka topic: each partition is read by one worker",
        "partitions=3",
        "the topic has one copy",
        "the topic is compacted (cleanup.policy compact)",
        "the topic keeps events for 3600s (retention.ms)",
        "offsets.retention.minutes",
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_deleted_ends_its_worker() {
    let topic = Topic::shared(2).await;
    topic.publish_numbered(0..3).await;
    let consumer = Consumer::start(topic.connect(), 10).await;
    consumer.take(3).await;
    topic.delete().await;
    let error = consumer.fails().await;
    assert_says(&error, &["is gone", &topic.name]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_with_fewer_partitions_than_before_ends_its_worker() {
    let topic = Topic::shared(3).await;
    let often = format!("{}?topic.metadata.refresh.interval.ms=500", topic.url);
    let consumer = Consumer::start(Kafka::connect(often).topic(&topic.name), 10).await;
    topic.publish_numbered(0..3).await;
    consumer.take(3).await;
    topic.delete().await;
    topic.create(1, &[]).await;
    let error = consumer.fails().await;
    // It may have looked while there was none.
    assert!(
        error.contains("had 3 partitions and has 1") || error.contains("is gone"),
        "{error}"
    );
}

#[tokio::test]
async fn a_property_that_the_client_does_not_know_is_named() {
    let connect = |url: &str| Kafka::connect(url).topic("orders");
    let error = connect("kafka://b?no.such.property=1")
        .await
        .unwrap_err()
        .to_string();
    assert_says(&error, &["no.such.property"]);
    let error = connect("kafka://b?session.timeout.ms=soon")
        .await
        .unwrap_err()
        .to_string();
    assert_says(&error, &["session.timeout.ms"]);
    let error = Kafka::connect("kafka://b").await.unwrap_err().to_string();
    assert_says(&error, &["no topic is named"]);
    let error = connect("kafka://b")
        .max_deferred(0)
        .await
        .unwrap_err()
        .to_string();
    assert_says(&error, &["`max_deferred` must be at least 1"]);
    let same = connect("kafka://b").dead_letter_topic("orders").await;
    assert_says(&same.unwrap_err().to_string(), &["the topic itself"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn properties_come_from_a_file() {
    let file = std::env::temp_dir().join(unique("kafka.properties"));
    std::fs::write(
        &file,
        "# of the client\nclient.id = billing-1\nsession.timeout.ms=6000\n",
    )
    .unwrap();
    let topic = Topic::shared(1).await;
    topic.publish_numbered(0..1).await;
    let url = format!("{}?properties={}", topic.url, file.display());
    let consumer = Consumer::start(Kafka::connect(url).topic(&topic.name), 1).await;
    consumer.take(1).await;
    std::fs::remove_file(&file).unwrap();
}
