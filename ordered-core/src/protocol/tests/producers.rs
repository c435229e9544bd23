//! What the owner of a key knows of the producers of its events.

use std::collections::BTreeMap;

use crate::event::EventId;
use crate::logical::VectorClock;
use crate::protocol::{
    Fence, Gone, KeyState, Placement, Producer, Producers, SKIPPED_RANGES, Stamp,
};

fn stamp(producer: &str, counts: &[(&str, u64)]) -> Stamp {
    let counts = counts.iter().map(|(name, count)| ((*name).into(), *count));
    let counts: BTreeMap<String, u64> = counts.collect();
    let clock = VectorClock::try_from(counts).expect("they are few");
    Stamp::causal(producer, clock).expect("it counts itself")
}

fn id(text: &str) -> EventId {
    EventId::new(text).expect("it is short")
}

fn wait(producers: &mut Producers, stamp: &Stamp) {
    let waits = producers.wait(stamp, &id("x"), 0, 10);
    waits.expect("there is room");
}

fn missing(producers: &Producers) -> Vec<String> {
    let missing = producers.missing();
    missing.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_missing_is_named_by_producer_and_count_and_what_waits_itself_is_not() {
    let mut producers = Producers::default();
    wait(&mut producers, &stamp("bob", &[("ada", 4), ("bob", 2)]));
    assert_eq!(
        missing(&producers),
        ["events 1 to 4 of ada", "event 1 of bob"]
    );
    // It waits for fewer.
    wait(&mut producers, &stamp("ada", &[("ada", 3)]));
    assert_eq!(missing(&producers), ["events 1 to 2 of ada"]);
    wait(&mut producers, &stamp("ada", &[("ada", 1)]));
    assert_eq!(producers.next(Producer::released), Some((0, 1)));
    assert_eq!(producers.waiting_events(), 3);
}

#[test]
fn a_producer_too_many_is_told_and_leaves_nothing_behind() {
    let mut producers = Producers::default();
    let two = stamp("bob", &[("ada", 1), ("bob", 1)]);
    let before = producers.clone();
    let error = producers.wait(&two, &id("x"), 0, 1).unwrap_err();
    assert_eq!((error.most, error.producer.as_str()), (1, "bob"));
    assert_eq!(producers, before);
    producers.wait(&two, &id("x"), 0, 2).unwrap();
    let error = producers.wait(&stamp("eve", &[("eve", 1)]), &id("y"), 0, 2);
    assert_eq!(error.unwrap_err().producer, "eve");
}

#[test]
fn what_an_event_is_follows_from_its_producer_and_count_and_then_from_its_id() {
    let mut producers = Producers::default();
    let first = stamp("ada", &[("ada", 1)]);
    let place = |producers: &Producers, name: &str, seen| producers.place(&first, &id(name), seen);
    assert_eq!(place(&producers, "x", None), Some(Placement::Ahead));
    wait(&mut producers, &first);
    assert_eq!(place(&producers, "x", None), Some(Placement::Duplicate));
    assert_eq!(place(&producers, "y", None), Some(Placement::Conflict));
    producers.release((0, 1), 7);
    assert_eq!(place(&producers, "x", None), Some(Placement::Duplicate));
    assert_eq!(place(&producers, "y", None), Some(Placement::Conflict));
    producers.forget_done(8);
    assert_eq!(
        place(&producers, "x", None),
        None,
        "the id has to be looked up"
    );
    assert_eq!(
        place(&producers, "x", Some(true)),
        Some(Placement::Duplicate)
    );
    assert_eq!(place(&producers, "y", Some(false)), Some(Placement::Stale));
}

#[test]
fn what_was_passed_over_is_late_as_far_as_that_is_remembered() {
    let mut producers = Producers::default();
    for skipped in 0..=SKIPPED_RANGES as u64 {
        wait(&mut producers, &stamp("ada", &[("ada", 2 * skipped + 2)]));
        assert!(producers.skip_missing());
        producers.release((0, 2 * skipped + 2), skipped);
    }
    producers.forget_done(u64::MAX);
    let place = |seq| producers.place(&stamp("ada", &[("ada", seq)]), &id("y"), Some(false));
    assert_eq!(place(3), Some(Placement::Late));
    assert_eq!(place(4), Some(Placement::Stale), "it ran");
    assert_eq!(place(1), Some(Placement::Stale), "the first is forgotten");
    assert!(!producers.skip_missing(), "nothing waits");
}

#[test]
fn the_state_of_a_key_at_rest_is_a_few_bytes_for_each_producer() {
    let mut state = KeyState::new(1);
    let bare = state.encode(Fence(0)).len();
    for name in ["ada", "bob", "eve"] {
        state
            .producers
            .count(&stamp(name, &[(name, 1_000)]), &id("x"), (1, 9), 0);
    }
    let bytes = state.encode(Fence(0));
    assert_eq!(KeyState::decode(&bytes, Fence(0)), Ok(state));
    assert!(bytes.len() <= bare + 60, "{} after {bare}", bytes.len());
}

fn timed(producer: &str, seq: u64, time: u64) -> Stamp {
    Stamp::lamport(producer, seq, time).expect("it is one")
}

#[test]
fn with_times_a_producer_and_an_event_that_waits_take_a_few_bytes_each() {
    const NOW: u64 = 1_800_000_000_000;
    let mut state = KeyState::new(1);
    let bare = state.encode(Fence(0)).len();
    for name in ["ada", "bob", "eve"] {
        let producers = &mut state.producers;
        producers.show(name, (1_000, 5_000), NOW, 9).unwrap();
        let last = timed(name, 1_001, 5_001);
        producers.count(&last, &id("x"), (1, 9), NOW);
    }
    let rest = state.encode(Fence(0)).len();
    assert!(rest <= bare + 100, "{rest} after {bare}");
    for seq in 1_003..1_103 {
        wait(&mut state.producers, &timed("ada", seq, 4_000 + seq));
    }
    let bytes = state.encode(Fence(0));
    assert!(
        bytes.len() <= rest + 100 * 25,
        "{} after {rest}",
        bytes.len()
    );
    assert_eq!(KeyState::decode(&bytes, Fence(0)), Ok(state));
}

#[test]
fn who_leaves_is_waited_for_up_to_its_last_event_and_is_there_again_with_the_next() {
    let mut producers = Producers::default();
    let gone = |producers: &Producers| producers.known()[0].gone();
    producers.leave("ada", 1, 9).unwrap();
    assert_eq!(gone(&producers), None, "its first event is under way");
    producers.count(&timed("ada", 1, 3), &id("x"), (1, 9), 0);
    assert_eq!(gone(&producers), Some(Gone::Left { after: 1 }));
    producers.show("ada", (1, 8), 0, 9).unwrap();
    assert_eq!((gone(&producers), producers.known()[0].clock()), (None, 8));
    producers.count(&timed("ada", 2, 9), &id("y"), (2, 9), 0);
    producers.leave("ada", 1, 9).unwrap();
    assert_eq!(gone(&producers), None, "it has sent one more since");
}
