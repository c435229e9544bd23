use std::time::Duration;

use ordered_core::transport::{Disposition, Reason, ReasonKind, Token};

use super::TransportFixture;
use super::support::{Consumer, all_numbered, assert_empty, bodies, numbered, publish, text};

/// Hundreds of deliveries, settled in a random order and in calls of all sizes, are settled.
pub async fn settles_in_any_order(fixture: &impl TransportFixture) {
    const COUNT: usize = 500;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    publish(fixture, numbered(COUNT)).await;
    let consumer = Consumer::start(fixture, 40).await;
    let (mut unsettled, mut seen) = (Vec::new(), Vec::new());
    while seen.len() < COUNT {
        let wanted = (COUNT - seen.len()).min(40 - unsettled.len());
        let deliveries = consumer.take(wanted.min(1 + random.usize(..10))).await;
        seen.extend(deliveries.iter().cloned());
        unsettled.extend(deliveries);
        random.shuffle(&mut unsettled);
        let keep = random.usize(..unsettled.len().min(35));
        consumer.ack(&unsettled.split_off(keep)).await;
    }
    consumer.ack(&unsettled).await;
    consumer.close().await;
    assert_eq!(bodies(&seen), all_numbered(COUNT));
    assert_empty(fixture).await;
}

/// What was acknowledged does not come to the next consumer, however soon after it the first one closes.
pub async fn acknowledges_permanently(fixture: &impl TransportFixture) {
    publish(fixture, numbered(50)).await;
    let consumer = Consumer::start(fixture, 50).await;
    let deliveries = consumer.take(50).await;
    // The one in the middle last, so that a transport that acknowledges prefixes has something to keep back.
    let (middle, others): (Vec<_>, Vec<_>) = deliveries
        .into_iter()
        .enumerate()
        .partition(|(place, _)| *place == 20);
    let strip = |list: Vec<(usize, _)>| list.into_iter().map(|(_, d)| d).collect::<Vec<_>>();
    consumer.ack(&strip(others)).await;
    consumer.ack(&strip(middle)).await;
    consumer.close().await;
    assert_empty(fixture).await;
}

/// Tokens that were never given are passed over, with everything around them settled.
pub async fn settles_nothing_for_an_unknown_token(fixture: &impl TransportFixture) {
    publish(fixture, [text("one")]).await;
    let consumer = Consumer::start(fixture, 10).await;
    let delivery = consumer.one().await;
    for strange in [0, delivery.token.0 + 1_000, u64::MAX] {
        consumer.settle(Token(strange), Disposition::Ack).await;
        let later = Disposition::Defer(Duration::ZERO);
        consumer.settle(Token(strange), later).await;
        consumer.settle(Token(strange), dead()).await;
    }
    consumer.ack(&[delivery]).await;
    consumer.close().await;
    assert!(fixture.dead_letters().await.is_empty());
    assert_empty(fixture).await;
}

/// Only the first disposition counts.
pub async fn settles_a_token_once(fixture: &impl TransportFixture) {
    publish(fixture, [text("acked")]).await;
    let consumer = Consumer::start(fixture, 10).await;
    let delivery = consumer.one().await;
    consumer.settle(delivery.token, Disposition::Ack).await;
    consumer.settle(delivery.token, dead()).await;
    consumer
        .settle(delivery.token, Disposition::Defer(Duration::ZERO))
        .await;
    consumer.settle(delivery.token, Disposition::Ack).await;
    consumer.nothing().await;
    consumer.close().await;
    assert!(fixture.dead_letters().await.is_empty());
    assert_empty(fixture).await;
}

/// An empty list is settled.
pub async fn settles_an_empty_list(fixture: &impl TransportFixture) {
    let consumer = Consumer::start(fixture, 10).await;
    consumer.ack(&[]).await;
}

fn dead() -> Disposition {
    Disposition::DeadLetter(Reason {
        kind: ReasonKind::Malformed,
        text: "not JSON".into(),
    })
}
