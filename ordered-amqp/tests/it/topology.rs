//! Exchanges, bindings and arguments that are declared for the user.

use std::time::Duration;

use lapin::options::QueueBindOptions;
use lapin::types::{AMQPValue, FieldTable};
use ordered_amqp::{Amqp, ExchangeKind};
use ordered_core::event::Envelope;
use ordered_core::transport::{Disposition, Publish, Reason, ReasonKind, Transport};
use ordered_testkit::eventually;
use ordered_testkit::transport_suite::TransportFixture;
use ordered_testkit::unique;
use tokio::time::timeout;

use crate::support::{Queue, ack, refusal, settle, started, take};

async fn publish(queue: &Queue, exchange: &str, routing_key: &str, body: &str) {
    let publisher = Amqp::connect(&queue.url).exchange(exchange, routing_key);
    let publisher = publisher.await.unwrap();
    let published = publisher
        .publish(vec![Envelope::new(body.to_owned())])
        .await;
    publisher.close().await;
    published.unwrap();
}

#[tokio::test]
async fn a_queue_gets_what_it_is_bound_to() {
    let queue = Queue::shared().await;
    let (topics, all) = (unique("topics"), unique("all"));
    let builder = queue
        .builder()
        .bind(&topics, "order.*.created")
        .bind(&topics, "refund.#")
        .exchange(&all, ExchangeKind::Fanout)
        .bind(&all, "");
    let transport = started(builder).await;
    for (exchange, routing_key) in [
        (&topics, "order.eu.created"),
        (&topics, "refund"),
        (&all, "whatever"),
    ] {
        publish(&queue, exchange, routing_key, routing_key).await;
        let delivery = take(&transport, 1).await.remove(0);
        assert_eq!(delivery.envelope.body, routing_key);
        ack(&transport, &[delivery]).await;
    }
    let elsewhere = Amqp::connect(&queue.url).exchange(&topics, "invoice.created");
    let elsewhere = elsewhere.await.unwrap();
    let error = elsewhere
        .publish(vec![Envelope::new("x")])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no queue takes"), "{error}");
    elsewhere.close().await;
    transport.close().await.unwrap();
}

#[tokio::test]
async fn a_publisher_declares_what_the_worker_would() {
    let queue = Queue::shared().await;
    let topics = unique("topics");
    let publisher = queue.builder().bind(&topics, "order.#").publisher().await;
    publisher.unwrap().close().await;
    publish(&queue, &topics, "order.created", "before the worker").await;
    let transport = started(queue.builder()).await;
    let delivery = take(&transport, 1).await.remove(0);
    assert_eq!(delivery.envelope.body, "before the worker");
    transport.close().await.unwrap();
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_bound_again() {
    let queue = Queue::shared().await;
    let topics = unique("topics");
    let transport = started(queue.builder().bind(&topics, "order.#")).await;
    publish(&queue, &topics, "order.created", "before").await;
    let before = take(&transport, 1).await;
    ack(&transport, &before).await;
    queue.client().await.delete(&queue.name).await;
    // A worker that receives hears of it.
    let received = async { take(&transport, 1).await.remove(0) };
    let published = async {
        loop {
            let publisher = Amqp::connect(&queue.url).exchange(&topics, "order.created");
            let publisher = publisher.await.unwrap();
            let published = publisher.publish(vec![Envelope::new("again")]).await;
            publisher.close().await;
            if published.is_ok() {
                return;
            }
        }
    };
    let both = async { tokio::join!(received, published).0 };
    let delivery = timeout(Duration::from_secs(30), both).await.unwrap();
    assert_eq!(delivery.envelope.body, "again");
    transport.close().await.unwrap();
}

#[tokio::test]
async fn arguments_go_before_what_is_usual() {
    let queue = Queue::shared().await;
    let builder = queue
        .builder()
        .argument("x-max-length", 5)
        .argument("x-expires", 60_000);
    let transport = started(builder).await;
    let client = queue.client().await;
    // It is taken with these arguments, and with no others.
    let text = |text: &str| AMQPValue::LongString(text.into());
    let dead = format!("{}.dead", queue.name);
    let arguments = [
        ("x-queue-type", text("quorum")),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
        ("x-max-length", AMQPValue::LongLongInt(5)),
        ("x-expires", AMQPValue::LongLongInt(60_000)),
    ];
    client.declare(&queue.name, &arguments).await;
    let error = refusal(queue.builder().argument("x-max-length", 6)).await;
    assert!(error.contains("with other arguments"), "{error}");
    transport.close().await.unwrap();
}

#[tokio::test]
async fn dead_letters_go_through_the_exchange_to_all_who_want_them() {
    let queue = Queue::shared().await;
    let (letters, dead) = (unique("letters"), format!("{}.dead", queue.name));
    let builder = queue.builder().dead_letter_exchange(&letters);
    let transport = started(builder.argument("x-message-ttl", 60_000)).await;
    let (client, audit) = (queue.client().await, unique("audit"));
    client.declare(&audit, &[]).await;
    let (to, from) = (audit.as_str().into(), letters.as_str().into());
    let options = QueueBindOptions::default();
    let bound = client.channel.queue_bind(
        to,
        from,
        dead.as_str().into(),
        options,
        FieldTable::default(),
    );
    bound.await.unwrap();
    queue.publish([Envelope::new("bad")]).await;
    let delivery = take(&transport, 1).await.remove(0);
    let reason = Reason {
        kind: ReasonKind::Malformed,
        text: "no".into(),
    };
    settle(&transport, &delivery, Disposition::DeadLetter(reason)).await;
    let letters = queue.dead_letters().await;
    assert_eq!(letters[0].envelope.body, "bad");
    assert_eq!(client.count(&audit).await, Some(1));
    transport.close().await.unwrap();
    // What RabbitMQ itself drops goes the same way.
    let expiring = lapin::BasicProperties::default().with_expiration("1".into());
    client.publish(&queue.name, b"late", expiring).await;
    eventually("it is in both", async || {
        client.count(&audit).await == Some(2) && client.count(&dead).await == Some(1)
    })
    .await;
}

#[tokio::test]
async fn a_topology_that_does_not_fit_is_refused_with_what_to_do() {
    let queue = Queue::shared().await;
    let exchange = unique("exchange");
    let direct = queue.builder().exchange(&exchange, ExchangeKind::Direct);
    started(direct).await.close().await.unwrap();
    let plugin = || ExchangeKind::Plugin("x-none".into());
    for (builder, words) in [
        (
            queue.builder().exchange(&exchange, ExchangeKind::Topic),
            "of another kind",
        ),
        (
            queue.builder().bind(unique("none"), "k").declare(false),
            "there is no exchange",
        ),
        (
            queue.builder().exchange(unique("none"), plugin()),
            "enable the plugin",
        ),
        (
            queue.builder().exchange("amq.mine", ExchangeKind::Topic),
            "RabbitMQ's own",
        ),
    ] {
        let error = refusal(builder).await;
        assert!(error.contains(words), "{words}: {error}");
    }
}
