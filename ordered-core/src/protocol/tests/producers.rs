//! What the owner of a key knows of the producers of its events.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::event::EventId;
use crate::logical::VectorClock;
use crate::protocol::{
    ABSENT_RANGES, Fence, GapPolicy, Gone, KeyState, MissingCause, Order, Placement, Policy,
    Producer, Producers, SKIPPED_RANGES, Stamp, Transition,
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
fn only_what_is_named_is_passed_over() {
    let mut producers = Producers::default();
    wait(&mut producers, &stamp("bob", &[("ada", 5), ("bob", 1)]));
    assert!(producers.fill("ada", (3, 3), [], 10));
    assert_eq!(missing(&producers), ["events 1 to 2 of ada"]);
    assert!(producers.skip_missing());
    assert_eq!(missing(&producers), ["events 4 to 5 of ada"]);
    assert_eq!(producers.next(Producer::released), None, "they may come");
    assert!(producers.skip_missing());
    assert_eq!(producers.next(Producer::released), Some((1, 1)));
}

#[test]
fn who_does_not_ask_does_not_note_that_it_was_asked() {
    let after = Duration::from_millis(10);
    let policy = Policy {
        order: Order::Causal,
        on_gap: GapPolicy::Repair { after },
        ..Policy::default()
    };
    let mut state = KeyState::new(1);
    wait(&mut state.producers, &stamp("ada", &[("ada", 2)]));
    let mut transition = Transition::new(&mut state, &policy, 20);
    transition.watch_gap(false);
    transition.end_gap_as_operator();
    assert!(transition.repair.is_empty());
    transition.end_gaps_of_producers("w", 20, &[]);
    assert_eq!(transition.repair.len(), 1);
    let asked = state.producers.asked_for_missing();
    assert_eq!(asked.map(|asked| asked.times), Some(1));
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
    assert!(bytes.len() <= bare + 70, "{} after {bare}", bytes.len());
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
    assert!(rest <= bare + 105, "{rest} after {bare}");
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
    producers.leave("ada", (1, 4), 9).unwrap();
    assert_eq!(gone(&producers), None, "its first event is under way");
    producers.count(&timed("ada", 1, 3), &id("x"), (1, 9), 0);
    let left = Some(Gone::Left { after: 1, time: 4 });
    assert_eq!(gone(&producers), left);
    producers.show("ada", (1, 4), 0, 9).unwrap();
    assert_eq!(gone(&producers), left, "that is what it left with");
    producers.show("ada", (1, 8), 0, 9).unwrap();
    assert_eq!((gone(&producers), producers.known()[0].clock()), (None, 8));
    producers.count(&timed("ada", 2, 9), &id("y"), (2, 9), 0);
    producers.leave("ada", (1, 8), 9).unwrap();
    assert_eq!(gone(&producers), None, "it has sent one more since");
}

/// Events of producers 0 to 2, of each its seq and how many of the others' it follows.
fn events() -> impl Strategy<Value = Vec<Stamp>> {
    let event = (0..3_usize, 0..3_usize, any::<bool>());
    prop::collection::vec(event, 1..12).prop_map(|sent| {
        let mut clocks = [(); 3].map(|()| VectorClock::default());
        let sent = sent.into_iter().map(|(own, other, reads)| {
            let known = clocks[other].clone();
            if reads {
                clocks[own].merge(&known).expect("they are few");
            }
            let name = ["ada", "bob", "eve"][own];
            let clock = clocks[own].send(name).expect("they are few");
            Stamp::causal(name, clock).expect("it counts itself")
        });
        sent.collect()
    })
}

/// All that may run, in its order.
fn release(producers: &mut Producers, ran: &mut Vec<(String, u64)>) {
    while let Some(next) = producers.next(Producer::released) {
        let (name, _) = producers.named(next);
        ran.push((name.to_owned(), next.1));
        producers.release(next, ran.len() as u64);
    }
}

proptest! {
    #[test]
    fn a_gap_is_what_has_not_come_of_a_producer_and_passing_over_gaps_lets_all_run_that_came(
        sent in events(),
        came in prop::collection::vec(any::<bool>(), 12),
        since in prop::collection::vec(0..30_u64, 12),
        later in 0..60_u64,
    ) {
        let after = Duration::from_millis(10);
        let mut producers = Producers::default();
        let mut ran = Vec::new();
        let came: Vec<&Stamp> = sent.iter().zip(came).filter_map(|(stamp, came)| came.then_some(stamp)).collect();
        for (stamp, since) in came.iter().zip(&since) {
            producers.wait(stamp, &id("x"), *since, 3).unwrap();
        }
        let first_since = since.iter().take(came.len()).min().copied();
        for now in later.. {
            release(&mut producers, &mut ran);
            let over = producers.gaps_over(GapPolicy::Skip { after }, now, &[]);
            for gap in &over {
                let MissingCause { producer, from, to } = producers.events_of(gap);
                prop_assert_eq!(from, producers.released(&producer) + 1);
                prop_assert!(first_since.is_some_and(|since| since + 10 <= now), "not before its time");
                let of = came.iter().filter(|stamp| stamp.producer() == producer);
                let mut seqs = of.map(|stamp| stamp.seq());
                prop_assert!(seqs.all(|seq| !(from..=to).contains(&seq)), "{} {}-{}", producer, from, to);
                prop_assert!(producers.gaps_over(GapPolicy::Wait, now, &[]).is_empty());
                let is_named = sent.iter().any(|stamp| stamp.producer() == producer && stamp.seq() == to);
                prop_assert!(is_named, "nobody sent {} of {}", to, producer);
            }
            over.iter().for_each(|gap| producers.skip(gap));
            release(&mut producers, &mut ran);
            if producers.waiting_events() == 0 {
                break;
            }
            let deadline = producers.gap_deadline(GapPolicy::Skip { after });
            prop_assert!(deadline.is_some(), "what waits has a gap: {:?}", producers);
            prop_assert!(now < 1_000, "it waits for ever: {:?}", producers);
        }
        let mut expected: Vec<(String, u64)> =
            came.iter().map(|stamp| (stamp.producer().to_owned(), stamp.seq())).collect();
        for (place, (name, seq)) in ran.iter().enumerate() {
            let stamp = came.iter().find(|stamp| stamp.producer() == name && stamp.seq() == *seq).unwrap();
            for (later, count) in &ran[place + 1..] {
                prop_assert!(stamp.vector().of(later) < *count, "{}-{} before {}-{}", name, seq, later, count);
            }
        }
        ran.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(ran, expected);
    }
}

#[test]
fn what_is_said_to_never_come_is_bounded_and_costs_a_few_bytes() {
    let mut producers = Producers::default();
    for range in 0..ABSENT_RANGES as u64 {
        let at = 2 * range + 2;
        assert!(producers.fill("ada", (at, at), [], 1));
    }
    let full = producers.clone();
    assert!(!producers.fill("ada", (9_000, 9_000), [], 1));
    assert!(
        !producers.fill("bob", (1, 1), [], 1),
        "one producer too many"
    );
    assert_eq!(producers, full);
    assert!(producers.fill("ada", (1, 9_000), [], 1));
    assert_eq!(producers.released("ada"), 9_000);
    assert!(producers.fill("ada", (1, 5), [], 1), "it is past");
    let place = producers.place(&stamp("ada", &[("ada", 4)]), &id("x"), Some(false));
    assert_eq!(place, Some(Placement::Late));
}
