//! What happens to an event that no handler handles.

use std::time::Duration;

use ordered_core::transport::{Faults, ReasonKind};
use ordered_events::{Envelope, OnExhausted, Unhandled};
use tokio::time::Instant;

use super::{Fixture, any_order, event, orders};

/// The second event of `a` is of a type that nobody handles.
async fn fixture() -> Fixture {
    let fixture = Fixture::new(Faults::default());
    let events = [
        event("a", 1, "OrderCreated"),
        event("b", 1, "OrderCreated"),
        event("a", 2, "OrderRefunded"),
        event("b", 2, "OrderShipped"),
        event("a", 3, "OrderShipped"),
    ];
    fixture.publish(events.to_vec()).await;
    fixture
}

#[tokio::test(start_paused = true)]
async fn its_key_waits_for_a_newer_version() {
    let fixture = fixture().await;
    let old = fixture.start(orders());
    fixture.settled().await;
    assert_eq!(fixture.handled("a"), [(1, "created")]);
    assert_eq!(fixture.handled("b"), [(1, "created"), (2, "shipped")]);
    let view = fixture.view("a").await;
    assert_eq!((view.phase.as_str(), view.last_seq), ("backing_off", 1));
    let error = view.last_error.unwrap().error;
    assert!(
        error.contains("no handler of the router handles events of the type `OrderRefunded`"),
        "{error}"
    );
    let new = fixture.start(orders().on("OrderRefunded", any_order));
    old.stop().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    new.stop().await;
    let expected = [(1, "created"), (2, "any"), (3, "shipped")];
    assert_eq!(fixture.handled("a"), expected);
}

#[tokio::test(start_paused = true)]
async fn its_key_halts_in_the_end_whatever_happens_to_events_that_fail() {
    let fixture = fixture().await;
    let worker = fixture.worker(orders());
    let worker = fixture.run(
        worker
            .on_exhausted(OnExhausted::DeadLetter)
            .give_up_after(Duration::from_secs(300)),
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    let view = fixture.view("a").await;
    assert_eq!((view.phase.as_str(), view.last_seq), ("halted", 1));
    assert_eq!(fixture.handled("a"), [(1, "created")]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_ignored() {
    let fixture = fixture().await;
    let worker = fixture.start(orders().unhandled(Unhandled::Ignore));
    fixture.settled().await;
    worker.stop().await;
    assert_eq!(fixture.handled("a"), [(1, "created"), (3, "shipped")]);
    assert_eq!(fixture.view("a").await.last_seq, 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_a_dead_letter_whatever_happens_to_events_that_fail() {
    let fixture = fixture().await;
    let worker = fixture.start(orders().unhandled(Unhandled::DeadLetter));
    fixture.settled().await;
    worker.stop().await;
    assert_eq!(fixture.handled("a"), [(1, "created"), (3, "shipped")]);
    let view = fixture.view("a").await;
    assert_eq!((view.phase.as_str(), view.last_seq), ("open", 3));
    assert_eq!(view.dead.len(), 1, "{view:?}");
}

/// Many of them are no sign of an outage, after which one run starts at a time.
#[tokio::test(start_paused = true)]
async fn many_of_them_slow_nothing_down() {
    let fixture = Fixture::new(Faults::default());
    let keys = (0..500).map(|key| event(&format!("k{key}"), 1, "OrderRefunded"));
    fixture.publish(keys.collect()).await;
    let begun = Instant::now();
    let worker = fixture.start(orders().unhandled(Unhandled::DeadLetter));
    fixture.settled().await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_without_a_place_is_dead_lettered_at_the_broker() {
    let fixture = Fixture::new(Faults::default());
    let bodies = [r#"{"type": "Ping"}"#, r#"{"note": "no type"}"#, "no JSON"];
    fixture.publish(bodies.map(Envelope::new).to_vec()).await;
    let worker = fixture.start(orders().unhandled(Unhandled::Ignore));
    fixture.settled().await;
    worker.stop().await;
    let letters = fixture.broker.dead_letters();
    let kinds = letters.iter().map(|(_, reason)| reason.kind);
    assert_eq!(kinds.collect::<Vec<_>>(), [ReasonKind::Malformed; 3]);
    assert!(letters[0].1.text.contains("`Ping`"), "{letters:?}");
    assert!(letters[1].1.text.contains("without a type"), "{letters:?}");
    assert!(letters[2].1.text.contains("not JSON"), "{letters:?}");
}
