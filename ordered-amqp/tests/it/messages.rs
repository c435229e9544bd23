//! Messages of producers that know nothing of this transport.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::ExchangeKind;
use lapin::options::{
    BasicPublishOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use ordered_core::event::Envelope;
use ordered_core::transport::{DeadLetters, Disposition, Publish, Reason, ReasonKind, Transport};

use crate::support::{Queue, ack, numbered, settle, take};

fn properties() -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("retries".into(), AMQPValue::LongInt(3));
    headers.insert("urgent".into(), AMQPValue::Boolean(true));
    headers.insert(
        "nested".into(),
        AMQPValue::FieldTable(FieldTable::default()),
    );
    BasicProperties::default()
        .with_headers(headers)
        .with_content_type("application/json".into())
        .with_message_id("m-1".into())
        .with_timestamp(1_700_000_000)
        .with_expiration("600000".into())
        .with_user_id("guest".into())
}

#[tokio::test]
async fn numbers_and_flags_are_text_and_a_timestamp_has_seconds() {
    let queue = Queue::shared().await;
    let transport = queue.started(10).await;
    let client = queue.client().await;
    client.publish(&queue.name, b"{}", properties()).await;
    let delivery = take(&transport, 1).await.remove(0);
    let mut expected = Envelope::new("{}");
    expected.headers.insert("retries".into(), "3".into());
    expected.headers.insert("urgent".into(), "true".into());
    for (property, value) in [
        ("amqp.content_type", "application/json"),
        ("amqp.message_id", "m-1"),
        ("amqp.timestamp", "1700000000"),
    ] {
        expected.headers.insert(property.into(), value.into());
    }
    expected.published_at = Some(1_700_000_000_000);
    assert_eq!(delivery.envelope, expected);
}

#[tokio::test]
async fn copies_keep_the_properties_that_do_not_steer_the_broker() {
    let queue = Queue::shared().await;
    let transport = queue.started(10).await;
    let client = queue.client().await;
    client.publish(&queue.name, b"{}", properties()).await;
    let first = take(&transport, 1).await.remove(0);
    let soon = Disposition::Defer(Duration::from_millis(100));
    settle(&transport, &first, soon).await;
    let again = take(&transport, 1).await.remove(0);
    assert!(again.redelivered);
    assert_eq!(again.envelope, first.envelope);
    let reason = Reason {
        kind: ReasonKind::Conflict,
        text: "two of them".into(),
    };
    settle(&transport, &again, Disposition::DeadLetter(reason)).await;
    let dead = client.get(&format!("{}.dead", queue.name)).await;
    let (body, properties) = dead.expect("it is there");
    assert_eq!(body, "{}");
    assert_eq!(
        properties.message_id().as_ref().map(|id| id.as_str()),
        Some("m-1")
    );
    let content = properties.content_type().as_ref();
    assert_eq!(content.map(|kind| kind.as_str()), Some("application/json"));
    assert_eq!(properties.timestamp(), &Some(1_700_000_000));
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(
        (properties.expiration(), properties.user_id()),
        (&None, &None)
    );
    let headers = properties.headers().clone().unwrap();
    let header = |name: &str| headers.inner().get(name).cloned();
    assert_eq!(header("retries"), Some(AMQPValue::LongInt(3)));
    assert_eq!(
        header("nested"),
        Some(AMQPValue::FieldTable(FieldTable::default()))
    );
    let text = |text: &str| Some(AMQPValue::LongString(text.into()));
    assert_eq!(header("x-ordered-reason"), text("conflict"));
    assert_eq!(header("x-ordered-reason-text"), text("two of them"));
    assert_eq!(header("x-ordered-queue"), text(&queue.name));
    assert_eq!(header("x-ordered-exchange"), text(""));
    assert_eq!(header("x-death"), None);
}

#[tokio::test]
async fn many_publishers_at_once_keep_their_own_order() {
    let queue = Queue::shared().await;
    let publisher = queue.builder().publisher().await.unwrap();
    let (first, second) = tokio::join!(
        publisher.publish(numbered(3_000)),
        publisher.publish(numbered(3_000)),
    );
    first.and(second).unwrap();
    let transport = queue.started(10_000).await;
    let deliveries = take(&transport, 6_000).await;
    let numbers: Vec<u32> = deliveries
        .iter()
        .map(|delivery| std::str::from_utf8(&delivery.envelope.body).unwrap())
        .map(|body| body.parse().unwrap())
        .collect();
    // Each of the two is a run that counts up, so every number is preceded by the one before it.
    let mut seen = [0; 3_000];
    for number in numbers {
        let number = number as usize;
        assert!(
            number == 0 || seen[number - 1] > seen[number],
            "{number} came too early"
        );
        seen[number] += 1;
    }
}

/// Publishes through a topic exchange that leads to the queue, as another program does.
async fn publish_through_exchange(queue: &Queue, exchange: &str, routing_key: &str) {
    let client = queue.client().await;
    let channel = &client.channel;
    let declared = channel.exchange_declare(
        exchange.into(),
        ExchangeKind::Topic,
        ExchangeDeclareOptions::default(),
        FieldTable::default(),
    );
    declared.await.unwrap();
    let bound = channel.queue_bind(
        queue.name.as_str().into(),
        exchange.into(),
        "#".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.unwrap();
    let published = channel.basic_publish(
        exchange.into(),
        routing_key.into(),
        BasicPublishOptions::default(),
        b"{}",
        BasicProperties::default(),
    );
    published.await.unwrap().await.unwrap();
    let deleted = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default());
    deleted.await.unwrap();
}

#[tokio::test]
async fn the_routing_key_stays_the_producers_through_a_delay_a_dead_letter_and_a_redrive() {
    let queue = Queue::shared().await;
    let transport = queue.started(10).await;
    let exchange = format!("{}.topics", queue.name);
    publish_through_exchange(&queue, &exchange, "eu.order-7").await;
    let routing_key = |envelope: &Envelope| envelope.headers.get("amqp.routing_key").cloned();
    let expected = Some("eu.order-7".to_owned());
    let first = take(&transport, 1).await.remove(0);
    assert_eq!(routing_key(&first.envelope), expected);
    let mut delivery = first.clone();
    for _ in 0..2 {
        let soon = Disposition::Defer(Duration::from_millis(100));
        settle(&transport, &delivery, soon).await;
        delivery = take(&transport, 1).await.remove(0);
        assert_eq!(delivery.envelope, first.envelope);
    }
    let reason = Reason {
        kind: ReasonKind::Late,
        text: "late".into(),
    };
    settle(&transport, &delivery, Disposition::DeadLetter(reason)).await;
    let letters = queue.builder().dead_letters().await.unwrap();
    let letter = letters.take(1).await.unwrap().remove(0);
    assert_eq!(routing_key(&letter.envelope), expected);
    letters.redrive(&[letter.token]).await.remove(0).unwrap();
    letters.close().await.unwrap();
    let redriven = take(&transport, 1).await.remove(0);
    assert_eq!(redriven.envelope, first.envelope);
    ack(&transport, &[redriven]).await;
    transport.close().await.unwrap();
}
