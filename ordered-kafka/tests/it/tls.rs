//! `security=ssl`, with a certificate made for tests.

use std::time::Duration;

use ordered_core::transport::{ConsumeOptions, Disposition, Reason, ReasonKind, Transport};
use ordered_kafka::Kafka;
use ordered_testkit::server::{AUTHORITY_FILE, KafkaServer};

use crate::support::{Consumer, Topic, topic::keyed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_over_tls_and_a_strange_certificate_is_refused() {
    let server = KafkaServer::builder().tls().start().await.unwrap();
    let topic = Topic::on(&server, 1, &[]).await;
    let url = server.tls_url().unwrap();
    let untrusted = Kafka::connect(&url)
        .topic(&topic.name)
        .answer_within(Duration::from_secs(5));
    let error = untrusted
        .await
        .unwrap()
        .start(ConsumeOptions { max_unsettled: 1 })
        .await;
    let message = error.unwrap_err().to_string();
    assert!(message.contains("cannot be encrypted"), "{message}");
    assert!(message.contains("certificate"), "{message}");

    topic.publish([keyed("a", "one")]).await;
    let trusted = format!("{url}&ssl.ca.location={AUTHORITY_FILE}");
    let consumer = Consumer::start(Kafka::connect(trusted).topic(&topic.name), 10).await;
    let delivery = consumer.take(1).await.remove(0);
    let reason = Reason {
        kind: ReasonKind::Malformed,
        text: "no".into(),
    };
    consumer
        .settle(delivery.token, Disposition::DeadLetter(reason))
        .await;
    consumer.close().await;
    assert_eq!(topic.dead_letters().len(), 1);
}
