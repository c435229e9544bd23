use std::collections::BTreeSet;
use std::time::Duration;

use ordered_core::transport::Delivery;
use tokio::time::{Instant, timeout};

use super::TransportFixture;
use super::support::{Consumer, all_numbered, assert_empty, bodies, numbered, publish, text};

/// What was published before and after the start comes, each once.
pub async fn delivers_all_that_is_published(fixture: &impl TransportFixture) {
    let mut all = numbered(200);
    publish(fixture, all.split_off(100)).await;
    let consumer = Consumer::start(fixture, 500).await;
    publish(fixture, all).await;
    let deliveries = consumer.take(200).await;
    assert_eq!(bodies(&deliveries), all_numbered(200));
    consumer.nothing().await;
}

/// A receive on an empty queue waits, and ends when something comes.
pub async fn waits_for_what_comes_later(fixture: &impl TransportFixture) {
    let consumer = Consumer::start(fixture, 10).await;
    consumer.nothing().await;
    let (delivery, ()) = tokio::join!(consumer.one(), publish(fixture, [text("late")]));
    assert_eq!(delivery.envelope.body, "late");
}

/// The `max` of a receive is kept to.
pub async fn gives_no_more_than_it_is_asked_for(fixture: &impl TransportFixture) {
    publish(fixture, numbered(20)).await;
    let consumer = Consumer::start(fixture, 100).await;
    let mut total = 0;
    while total < 20 {
        let received = consumer.transport.receive(3).await.expect("it receives");
        assert!((1..=3).contains(&received.len()), "{received:?}");
        total += received.len();
    }
}

/// No more is out at a time than `max_unsettled` allows, and settling makes room.
pub async fn bounds_what_is_unsettled(fixture: &impl TransportFixture) {
    publish(fixture, numbered(20)).await;
    let consumer = Consumer::start(fixture, 5).await;
    let mut seen = BTreeSet::new();
    let mut unsettled = consumer.take(5).await;
    while seen.len() < 20 {
        consumer.nothing().await;
        seen.extend(bodies(&unsettled));
        consumer.ack(&unsettled).await;
        let left = 20 - seen.len();
        unsettled = consumer.take(left.min(5)).await;
    }
    assert_eq!(seen, all_numbered(20));
}

/// Receives that are dropped before they end lose nothing.
pub async fn loses_nothing_when_a_receive_is_dropped(fixture: &impl TransportFixture) {
    const COUNT: usize = 300;
    let consumer = Consumer::start(fixture, 2 * COUNT).await;
    let publishing = async {
        for batch in numbered(COUNT).chunks(10) {
            publish(fixture, batch.to_vec()).await;
        }
    };
    let receiving = async {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut received: Vec<Delivery> = Vec::new();
        let mut limit = Duration::ZERO;
        while bodies(&received).len() < COUNT {
            assert!(Instant::now() < deadline, "{} came", received.len());
            // From not at all to long enough, again and again.
            limit = if limit > Duration::from_millis(3) {
                Duration::ZERO
            } else {
                limit + Duration::from_micros(100)
            };
            if let Ok(batch) = timeout(limit, consumer.transport.receive(7)).await {
                received.extend(batch.expect("it receives"));
            }
        }
        received
    };
    let ((), received) = tokio::join!(publishing, receiving);
    assert_eq!(received.len(), COUNT, "each comes once");
    consumer.ack(&received).await;
    consumer.close().await;
    assert_empty(fixture).await;
}

/// Two consumers of a queue get each event once between them.
pub async fn shares_a_queue_between_two_consumers(fixture: &impl TransportFixture) {
    let first = Consumer::start(fixture, 5).await;
    let second = Consumer::start(fixture, 5).await;
    publish(fixture, numbered(100)).await;
    let mut received = Vec::new();
    while received.len() < 100 {
        let (consumer, batch) = tokio::select! {
            batch = first.transport.receive(5) => (&first, batch),
            batch = second.transport.receive(5) => (&second, batch),
        };
        let batch = batch.expect("it receives");
        consumer.ack(&batch).await;
        received.extend(batch);
    }
    assert_eq!(bodies(&received), all_numbered(100));
    tokio::join!(first.nothing(), second.nothing());
}

/// A token is never given twice by one transport.
pub async fn never_gives_a_token_twice(fixture: &impl TransportFixture) {
    let consumer = Consumer::start(fixture, 50).await;
    let mut tokens = BTreeSet::new();
    for _ in 0..5 {
        publish(fixture, numbered(50)).await;
        let deliveries = consumer.take(50).await;
        tokens.extend(deliveries.iter().map(|delivery| delivery.token));
        consumer.ack(&deliveries).await;
    }
    assert_eq!(tokens.len(), 250);
}
