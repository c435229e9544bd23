use super::TransportFixture;
use super::support::{Consumer, all_numbered, assert_empty, bodies, numbered, publish, text};

/// Closing gives back what is not settled, and only that.
pub async fn delivers_again_what_a_closed_consumer_had(fixture: &impl TransportFixture) {
    publish(fixture, numbered(20)).await;
    let first = Consumer::start(fixture, 20).await;
    let deliveries = first.take(20).await;
    let (acked, unsettled) = deliveries.split_at(7);
    first.ack(acked).await;
    let unsettled = bodies(unsettled);
    first.close().await;
    let second = Consumer::start(fixture, 20).await;
    let again = second.take(13).await;
    assert_eq!(bodies(&again), unsettled);
    second.ack(&again).await;
    second.close().await;
    assert_empty(fixture).await;
}

/// A consumer that vanishes without a word gives back what it had.
pub async fn delivers_again_what_a_dropped_consumer_had(fixture: &impl TransportFixture) {
    publish(fixture, numbered(20)).await;
    let first = Consumer::start(fixture, 20).await;
    first.take(12).await;
    drop(first);
    let second = Consumer::start(fixture, 20).await;
    let again = second.take(20).await;
    assert_eq!(bodies(&again), all_numbered(20));
    second.ack(&again).await;
    second.close().await;
    assert_empty(fixture).await;
}

/// The first delivery is not flagged, the next one is.
pub async fn flags_what_is_delivered_again(fixture: &impl TransportFixture) {
    publish(fixture, [text("one")]).await;
    let first = Consumer::start(fixture, 10).await;
    assert!(!first.one().await.redelivered);
    first.close().await;
    let second = Consumer::start(fixture, 10).await;
    assert!(second.one().await.redelivered);
}
