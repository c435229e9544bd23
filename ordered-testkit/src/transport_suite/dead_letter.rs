use std::collections::BTreeMap;

use ordered_core::event::Envelope;
use ordered_core::transport::{Disposition, Reason, ReasonKind};

use super::support::{Consumer, assert_empty, numbered, publish, text};
use super::{DeadLetter, TransportFixture};

/// Dead letters keep body and headers, and say why they are there.
pub async fn keeps_dead_letters_with_their_reasons(fixture: &impl TransportFixture) {
    let mut malformed = text("{\"order_id\": no");
    malformed.headers = BTreeMap::from([("tenant".to_owned(), "ü".to_owned())]);
    let conflict = text("{\"order_id\": \"1\", \"seq\": 1}");
    let expected = BTreeMap::from([
        (malformed.body.clone(), ("malformed", "line 1: “no”")),
        (
            conflict.body.clone(),
            ("conflict", "seq 1 is e-1, this is e-2"),
        ),
    ]);
    publish(fixture, [malformed.clone(), conflict.clone()]).await;
    let consumer = Consumer::start(fixture, 10).await;
    for delivery in consumer.take(2).await {
        let (kind, sentence) = expected[&delivery.envelope.body];
        let kind = match kind {
            "malformed" => ReasonKind::Malformed,
            _ => ReasonKind::Conflict,
        };
        let text = sentence.to_owned();
        let dead = Disposition::DeadLetter(Reason { kind, text });
        consumer.settle(delivery.token, dead).await;
    }
    // At once: when `settle` has returned, they are safe.
    let mut dead = fixture.dead_letters().await;
    dead.sort_by_key(|letter| letter.envelope.body != malformed.body);
    let letter = |envelope: &Envelope| DeadLetter {
        envelope: envelope.clone(),
        kind: expected[&envelope.body].0.to_owned(),
        text: expected[&envelope.body].1.to_owned(),
    };
    for letter in &mut dead {
        // Some brokers stamp by themselves.
        letter.envelope.published_at = None;
    }
    assert_eq!(dead, [letter(&malformed), letter(&conflict)]);
}

/// A dead letter is gone from the queue, and its neighbours are not.
pub async fn delivers_no_dead_letter_again(fixture: &impl TransportFixture) {
    publish(fixture, numbered(5)).await;
    let consumer = Consumer::start(fixture, 10).await;
    let mut deliveries = consumer.take(5).await;
    let dead = deliveries.remove(2);
    let reason = Reason {
        kind: ReasonKind::Malformed,
        text: "no".into(),
    };
    consumer
        .settle(dead.token, Disposition::DeadLetter(reason))
        .await;
    consumer.close().await;
    let next = Consumer::start(fixture, 10).await;
    let again = next.take(4).await;
    assert!(again.iter().all(|d| d.envelope.body != dead.envelope.body));
    next.ack(&again).await;
    next.close().await;
    assert_empty(fixture).await;
}
