//! Keys of groups with another order.

use super::scene::{NOON, explained, key};
use crate::explain::{KeyStatus, explain};
use crate::protocol::{KeyView, Order, Policy};
use crate::store::Group;

const VERSIONS: Order = Order::Monotonic { coalesce: false };
const NEWEST: Order = Order::Monotonic { coalesce: true };

fn group(order: Order) -> Group {
    Group::new(
        "orders",
        Policy {
            order,
            ..Policy::default()
        },
    )
}

#[track_caller]
fn assert_says(view: &KeyView, order: Order, status: KeyStatus, words: &[&str]) {
    let explanation = explained(view, &group(order));
    assert_eq!(explanation.status, status, "{}", explanation.text);
    for words in words {
        assert!(
            explanation.text.contains(words),
            "{words}: {}",
            explanation.text
        );
    }
    assert!(
        !explanation.text.contains("has not come"),
        "{}",
        explanation.text
    );
}

#[test]
fn never_seen() {
    for (order, words) in [
        (Order::Arrival, "It begins with the first event that comes."),
        (VERSIONS, "It begins with the first version that comes."),
    ] {
        let explanation = explain("order-17", None, &group(order), None);
        assert!(explanation.text.contains(words), "{}", explanation.text);
        assert_eq!(explanation.seq, None);
    }
}

#[test]
fn idle() {
    let idle = [
        (
            Order::Arrival,
            "It is done up to seq 41, as it numbers what arrives (fence 9). It goes on with the next event that comes.",
        ),
        (
            VERSIONS,
            "Its version is 41 (fence 9). It goes on when a version above 41 comes.",
        ),
    ];
    for (order, words) in idle {
        assert_says(&key(), order, KeyStatus::Idle, &[words]);
    }
}

#[test]
fn running() {
    let view = key().claimed(Some(NOON + 13_000)).holding(42..=44);
    assert_says(
        &view,
        Order::Arrival,
        KeyStatus::Running,
        &[
            "order-17 is running: worker w3 has it",
            "3 events are held: 42–44",
        ],
    );
    let words = "Only the newest of them will run.";
    assert_says(&view, NEWEST, KeyStatus::Running, &[words]);
}

#[test]
fn ready() {
    let view = key().holding(42..=44);
    for order in [Order::Arrival, VERSIONS, NEWEST] {
        let words = "order-17 is about to run seq 42: it is held, and no worker has the key.";
        assert_says(&view, order, KeyStatus::Ready, &[words]);
    }
}

#[test]
fn backing_off() {
    let view = key()
        .failed(2, "backing_off", Some(NOON + 10_000))
        .holding([42, 47]);
    for order in [Order::Arrival, VERSIONS] {
        let words = "order-17 backs off: seq 42 failed and will be tried again.";
        assert_says(&view, order, KeyStatus::BackingOff, &[words]);
    }
    let words = "Versions up to 41 are done or superseded (fence 9).";
    assert_says(&view, VERSIONS, KeyStatus::BackingOff, &[words]);
}

#[test]
fn suspect() {
    let view = key().died(2, 0).holding(42..=43);
    let words = "order-17 waits to run seq 42 alone";
    assert_says(&view, Order::Arrival, KeyStatus::Suspect, &[words]);
}

#[test]
fn halted() {
    let view = key().failed(5, "halted", None).holding([42, 47]);
    for order in [Order::Arrival, VERSIONS] {
        assert_says(
            &view,
            order,
            KeyStatus::Halted,
            &[
                "order-17 is halted at seq 42, which failed permanently.",
                "`ordered skip order-17` to make it a dead letter and go on with 47",
            ],
        );
    }
}

#[test]
fn paused() {
    let mut view = key().holding(42..=43);
    view.paused = true;
    let words = ["order-17 is paused.", "Else seq 42 could run."];
    for order in [Order::Arrival, VERSIONS] {
        assert_says(&view, order, KeyStatus::Paused, &words);
    }
}
