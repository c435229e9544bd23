//! The partitions of a queue, their consumers and their backlog.

use ordered_amqp::Amqp;
use ordered_core::event::Envelope;
use ordered_core::transport::{ConsumeOptions, Publish, Transport};
use ordered_testkit::server::RabbitServer;
use ordered_testkit::unique;
use serde_json::Value;

use crate::support::Fixture;

#[tokio::test]
async fn partitions_are_shown_with_their_consumers_and_what_waits() {
    let (url, name) = (
        RabbitServer::shared().await.unwrap().url(),
        unique("events"),
    );
    let fixture = Fixture::calm().await;
    let asked = ["queues", "--transport", &url, "--queue", &name];
    let error = fixture.run(&asked).await.fails(4);
    assert!(error.contains("no partition of one"), "{error}");

    let builder = || Amqp::connect(&url).queue(&name).partitions(2);
    let publisher = builder().publisher().await.unwrap();
    let events = (0..20).map(|number| Envelope::new(number.to_string()));
    publisher.publish(events.collect()).await.unwrap();
    publisher.close().await;
    let text = fixture.run(&asked).await.ok();
    assert!(
        text.contains("has events and nobody who consumes it"),
        "{text}"
    );

    let transport = builder().await.unwrap();
    transport
        .start(ConsumeOptions { max_unsettled: 1 })
        .await
        .unwrap();
    let text = fixture.run(&asked).await.ok();
    let titles: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(titles, ["QUEUE", "HOLDS", "WAITING", "CONSUMERS"]);
    assert!(text.contains("workers: 1 on 2 partitions"), "{text}");
    assert!(!text.contains("nobody who consumes"), "{text}");
    let mut with_json = asked.to_vec();
    with_json.push("--json");
    let document = fixture.run(&with_json).await.json();
    let queues = document["queues"].as_array().unwrap();
    let told: Vec<(&Value, &Value)> = queues
        .iter()
        .map(|it| (&it["role"], &it["consumers"]))
        .collect();
    let expected = [
        ("partition", 1),
        ("partition", 1),
        ("workers", 1),
        ("dead letters", 0),
    ];
    let expected = expected.map(|(role, consumers)| (Value::from(role), Value::from(consumers)));
    assert_eq!(
        told,
        expected
            .each_ref()
            .map(|(role, consumers)| (role, consumers))
    );
    let waiting: u64 = queues.iter().filter_map(|it| it["waiting"].as_u64()).sum();
    assert!(
        (18..20).contains(&waiting),
        "what was delivered does not wait: {document}"
    );
    transport.close().await.unwrap();
}

#[tokio::test]
async fn other_brokers_are_refused_with_what_shows_theirs() {
    let fixture = Fixture::calm().await;
    let output = fixture
        .ordered("queues --transport kafka://localhost --queue q")
        .await;
    let error = output.fails(2);
    assert!(error.contains("kafka-consumer-groups.sh"), "{error}");
}
