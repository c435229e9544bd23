use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::transport::Disposition;
use tokio::time::Instant;

use super::TransportFixture;
use super::support::{Consumer, all_numbered, assert_empty, bodies, numbered, publish, text};

/// It comes back, once, and not before its time.
pub async fn defers_no_less_than_it_is_told(fixture: &impl TransportFixture) {
    publish(fixture, [text("one")]).await;
    let consumer = Consumer::start(fixture, 10).await;
    let delivery = consumer.one().await;
    let (delay, deferred) = (Duration::from_millis(1_100), Instant::now());
    consumer
        .settle(delivery.token, Disposition::Defer(delay))
        .await;
    let again = consumer.one().await;
    assert!(deferred.elapsed() >= delay, "{:?}", deferred.elapsed());
    assert_eq!(again.envelope.body, "one");
    assert_ne!(again.token, delivery.token);
    consumer.ack(&[again]).await;
    consumer.nothing().await;
    consumer.close().await;
    assert_empty(fixture).await;
}

/// What is deferred takes no place among what is unsettled, and blocks nothing.
pub async fn lets_others_pass_what_is_deferred(fixture: &impl TransportFixture) {
    publish(fixture, [text("deferred")]).await;
    let consumer = Consumer::start(fixture, 1).await;
    let delivery = consumer.one().await;
    let an_hour = Disposition::Defer(Duration::from_secs(3_600));
    consumer.settle(delivery.token, an_hour).await;
    publish(fixture, numbered(20)).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        let other = consumer.one().await;
        consumer.ack(std::slice::from_ref(&other)).await;
        others.push(other);
    }
    assert_eq!(bodies(&others), all_numbered(20));
    consumer.nothing().await;
}

/// Body, headers and time survive being deferred.
pub async fn keeps_what_is_deferred_as_it_was(fixture: &impl TransportFixture) {
    let mut envelope = Envelope {
        published_at: Some(1_700_000_000_000),
        ..text("{\"n\":\"ñ\"}")
    };
    envelope.headers.insert("tenant".into(), "ü".into());
    publish(fixture, [envelope]).await;
    let consumer = Consumer::start(fixture, 10).await;
    let first = consumer.one().await;
    let soon = Disposition::Defer(Duration::from_millis(50));
    consumer.settle(first.token, soon).await;
    assert_eq!(consumer.one().await.envelope, first.envelope);
}

/// The same event can be deferred again and again.
pub async fn defers_more_than_once(fixture: &impl TransportFixture) {
    publish(fixture, [text("one")]).await;
    let consumer = Consumer::start(fixture, 10).await;
    let first = consumer.one().await;
    let mut token = first.token;
    for _ in 0..4 {
        let soon = Disposition::Defer(Duration::from_millis(20));
        consumer.settle(token, soon).await;
        let again = consumer.one().await;
        assert_eq!(again.envelope, first.envelope);
        token = again.token;
    }
    consumer.settle(token, Disposition::Ack).await;
    consumer.close().await;
    assert_empty(fixture).await;
}
