//! Events with vector clocks.

use std::collections::BTreeMap;

use super::operator::operate;
use super::*;
use crate::protocol::{Order, Phase, Stamp, Verb, WaitReason};
use crate::store::{Change, Slot};
use crate::transport::REWOUND;

/// An event by its id: its producer is the first letter, its seq what comes then, and what follows is what it knows of
/// others: `b2 a1` is the second event of b, which knows the first of a.
pub(super) fn stamp(id: &str) -> Stamp {
    let count = |text: &str| {
        let (producer, seq) = text.split_at(1);
        (producer.to_owned(), seq.parse::<u64>().expect("a number"))
    };
    let counts: BTreeMap<String, u64> = id.split(' ').map(count).collect();
    let clock = counts.try_into().expect("they are few");
    Stamp::causal(&id[..1], clock).expect("it is one")
}

pub(super) fn bench() -> Bench {
    bench_with(|_| {})
}

pub(super) fn bench_with(change: impl FnOnce(&mut Rules)) -> Bench {
    Bench::with(|rules| {
        rules.policy.order = Order::Causal;
        change(rules);
    })
}

pub(super) fn deliver(bench: &mut Bench, w: &mut Worker, id: &str) {
    deliver_as(bench, w, id, id);
}

fn deliver_as(bench: &mut Bench, w: &mut Worker, id: &str, place: &str) {
    bench.deliver_with(w, u64::MAX, id, |event| {
        event.stamp = Some(std::sync::Arc::new(stamp(place)));
    });
}

#[test]
fn an_event_costs_one_acquisition_and_one_save() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a1");
    runs_at_the_least_cost(&bench, &mut w, 1);
    assert_eq!(bench.state().producers.released("a"), 1);
}

#[test]
fn an_effect_waits_in_the_mailbox_for_its_cause() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "b1 a2");
    bench.settle(&mut w);
    assert_eq!(w.begin(), None);
    let waits = w.says(
        |what| matches!(what, EventChange::Held(waiting) if waiting.why == WaitReason::Earlier),
    );
    assert_eq!((waits, w.dispositions()), (1, vec![EventOutcome::Held]));
    let state = bench.state();
    assert!(state.gap_since.is_some() && bench.owner().is_none());
    let missing = state.producers.missing();
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["events 1 to 2 of a"]);
    deliver(&mut bench, &mut w, "a1");
    assert_eq!(bench.run_ids(&mut w), ["a1"]);
    let missing = bench.state().producers.missing();
    assert_eq!(missing[0].to_string(), "event 2 of a");
    deliver(&mut bench, &mut w, "a2");
    assert_eq!(bench.run_ids(&mut w), ["a2", "b1 a2"]);
    let state = bench.state();
    assert_eq!((state.gap_since, bench.held()), (None, 0));
    assert!(state.producers.missing().is_empty());
}

#[test]
fn what_is_in_memory_together_runs_causes_first_and_then_by_the_names_of_the_producers() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for id in ["d1 a1 c1", "c1", "b1 a1", "a2 c1", "a1"] {
        deliver(&mut bench, &mut w, id);
    }
    let ran = bench.run_ids(&mut w);
    assert_eq!(ran, ["a1", "b1 a1", "c1", "a2 c1", "d1 a1 c1"]);
    assert_eq!(bench.held(), 0, "none had to wait in the mailbox");
}

#[test]
fn a_released_event_is_fetched_in_the_call_that_commits_its_cause() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "b1 a1");
    bench.settle(&mut w);
    deliver(&mut bench, &mut w, "a1");
    bench.settle(&mut w);
    assert!(w.begin().is_some());
    w.end(Ok(()));
    let said = bench.exchange(&mut w);
    let [Request::Save(save)] = &said[..] else {
        panic!("{said:?}");
    };
    let to = Slot::Held(2);
    assert!(matches!(save.changes[..], [Change::Move { to: there, .. }] if there == to));
    assert_eq!(save.fetch, [to]);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((2, 2)));
}

#[test]
fn a_worker_that_does_not_own_the_key_posts_and_the_owner_sorts_it_in() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a1");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    for id in ["c1 b1", "b1 a1", "b1 a1"] {
        deliver(&mut bench, &mut other, id);
    }
    bench.settle(&mut other);
    let said = other.dispositions();
    assert_eq!(
        said,
        [
            EventOutcome::Held,
            EventOutcome::Held,
            EventOutcome::Duplicate
        ]
    );
    owner.end(Ok(()));
    assert_eq!(bench.run_ids(&mut owner), ["a1", "b1 a1", "c1 b1"]);
    assert_eq!((bench.held(), bench.owner()), (0, None));
}

#[test]
fn repetitions_are_known_wherever_the_first_is() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    // One that waits.
    deliver(&mut bench, &mut owner, "b1 a1");
    bench.settle(&mut owner);
    assert_eq!(owner.dispositions(), [EventOutcome::Held]);
    deliver(&mut bench, &mut owner, "b1 a1");
    bench.settle(&mut owner);
    assert_eq!(owner.dispositions(), [EventOutcome::Duplicate]);
    // One that runs, here and elsewhere.
    deliver(&mut bench, &mut owner, "a1");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    deliver(&mut bench, &mut owner, "a1");
    deliver(&mut bench, &mut other, "a1");
    bench.settle(&mut other);
    owner.end(Ok(()));
    assert_eq!(bench.run_ids(&mut owner), ["a1", "b1 a1"]);
    let starts = owner.says(|what| matches!(what, EventChange::Started { .. }));
    assert_eq!((starts, bench.held()), (2, 0));
    // One that was done.
    for id in ["a1", "b1 a1"] {
        deliver(&mut bench, &mut other, id);
    }
    other.settled();
    assert_eq!(bench.run_all(&mut other), []);
    assert_eq!(other.dispositions(), [const { EventOutcome::Duplicate }; 2]);
}

#[test]
fn two_events_with_one_place_are_in_conflict() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "b1 a1");
    bench.settle(&mut w);
    w.settled();
    // With one that waits, with one in memory, and with one that was done.
    deliver_as(&mut bench, &mut w, "x", "b1 a1");
    bench.settle(&mut w);
    assert!(matches!(w.dispositions()[..], [EventOutcome::Conflict(_)]));
    deliver(&mut bench, &mut w, "a1");
    deliver_as(&mut bench, &mut w, "y", "a1");
    bench.settle(&mut w);
    assert!(matches!(w.dispositions()[..], [EventOutcome::Conflict(_)]));
    assert_eq!(bench.run_ids(&mut w), ["a1", "b1 a1"]);
    w.settled();
    deliver_as(&mut bench, &mut w, "z", "a1");
    bench.settle(&mut w);
    assert_eq!(w.dispositions(), [EventOutcome::Stale]);
}

#[test]
fn a_conflict_that_was_posted_is_a_dead_letter() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a1");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    deliver_as(&mut bench, &mut other, "x", "a1");
    deliver(&mut bench, &mut other, "a2");
    bench.settle(&mut other);
    owner.end(Ok(()));
    assert_eq!(bench.run_ids(&mut owner), ["a1", "a2"]);
    let state = bench.state();
    assert_eq!(state.dead_letters().count(), 1);
    assert_eq!((bench.held(), bench.owner()), (0, None));
}

#[test]
fn what_was_posted_and_is_stale_is_no_dead_letter_where_it_was_made_to_come_again() {
    for (header, letters) in [(None, 1), (Some(REWOUND), 0)] {
        let mut bench = bench();
        let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
        deliver(&mut bench, &mut owner, "a1");
        assert_eq!(bench.run_ids(&mut owner), ["a1"]);
        deliver(&mut bench, &mut owner, "a2");
        bench.settle(&mut owner);
        assert!(owner.begin().is_some());
        bench.deliver_with(&mut other, u64::MAX, "forgotten", |event| {
            event.stamp = Some(std::sync::Arc::new(stamp("a1")));
            let header = header.map(|name| (name.to_owned(), String::new()));
            event.envelope.headers.extend(header);
        });
        bench.settle(&mut other);
        owner.end(Ok(()));
        assert_eq!(bench.run_ids(&mut owner), ["a2"]);
        assert_eq!(bench.state().dead_letters().count(), letters);
        let rewound = owner.says(|what| *what == EventChange::Rewound);
        assert_eq!((rewound, bench.held()), (1 - letters, 0));
    }
}

#[test]
fn an_id_that_comes_back_under_another_count_moves_its_producer_on() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a1");
    bench.run_all(&mut w);
    deliver_as(&mut bench, &mut w, "a1", "a2");
    deliver(&mut bench, &mut w, "a3");
    let ran = bench.run_ids(&mut w);
    assert_eq!(ran, ["a1", "a3"]);
    let starts = w.says(|what| matches!(what, EventChange::Started { .. }));
    assert_eq!(starts, 2, "a1 and a3");
    assert_eq!(bench.state().producers.released("a"), 3);
}

#[test]
fn what_failed_holds_up_its_effects_and_a_takeover_keeps_them_behind_it() {
    let mut bench = bench();
    let (mut dies, mut other) = (bench.worker("dies"), bench.worker("other"));
    for id in ["a1", "b1 a1"] {
        deliver(&mut bench, &mut dies, id);
    }
    bench.settle(&mut dies);
    assert!(dies.begin().is_some());
    // The broker has noticed before the store does.
    for id in ["b1 a1", "a1", "c1 b1"] {
        deliver(&mut bench, &mut other, id);
    }
    bench.settle(&mut other);
    bench.die(dies, &mut [&mut other]);
    deliver(&mut bench, &mut other, "c2 b1");
    let ran = bench.run_ids(&mut other);
    assert_eq!(ran, ["a1", "b1 a1", "c1 b1", "c2 b1"]);
    deliver(&mut bench, &mut other, "d1");
    bench.settle(&mut other);
    assert!(other.begin().is_some());
    other.end(failed());
    deliver(&mut bench, &mut other, "e1 d1");
    bench.settle(&mut other);
    assert_eq!(other.begin(), None);
    bench.clock.advance(1_000);
    bench.beat(&mut other);
    bench.claim_swept(&mut other);
    assert_eq!(bench.run_ids(&mut other), ["d1", "e1 d1"]);
}

#[test]
fn what_is_stored_does_not_overtake_its_cause_if_the_worker_dies() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "c1");
    bench.settle(&mut w);
    assert!(w.begin().is_some());
    deliver(&mut bench, &mut w, "a1");
    let redelivered = |event: &mut Event<()>| {
        event.redelivered = true;
        event.stamp = Some(std::sync::Arc::new(stamp("b1 a1")));
    };
    bench.deliver_with(&mut w, u64::MAX, "b1 a1", redelivered);
    w.end(Ok(()));
    bench.exchange(&mut w);
    assert!(w.begin().is_some(), "a1 runs");
    bench.settle(&mut w);
    let state = bench.state();
    let numbered: Vec<u64> = state.held.iter().collect();
    assert_eq!(numbered, [2, 3], "a1 is stored with its effect");
    assert_eq!(state.producers.released("a"), 1);
}

#[test]
fn a_lost_answer_changes_no_order() {
    for carried_out in [true, false] {
        let mut bench = bench();
        let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
        deliver(&mut bench, &mut owner, "a1");
        bench.settle(&mut owner);
        assert!(owner.begin().is_some());
        for id in ["c1 b1", "b1 a1"] {
            deliver(&mut bench, &mut other, id);
        }
        bench.settle(&mut other);
        owner.end(Ok(()));
        let mut ran = committed(&bench.exchange(&mut owner));
        // That of the save which takes in what was posted.
        deliver(&mut bench, &mut owner, "d1 c1");
        bench.lose_answer(&mut owner, carried_out);
        ran.extend(bench.run_ids(&mut owner));
        ran.dedup();
        assert_eq!(ran, ["a1", "b1 a1", "c1 b1", "d1 c1"], "{carried_out}");
        assert_eq!(bench.held(), 0);
    }
}

#[test]
fn one_producer_too_many_halts_the_key_and_nothing_is_lost() {
    let mut bench = bench_with(|rules| rules.policy.max_producers = 2);
    let mut w = bench.worker("w");
    for id in ["a1", "b1"] {
        deliver(&mut bench, &mut w, id);
    }
    assert_eq!(bench.run_ids(&mut w), ["a1", "b1"]);
    deliver(&mut bench, &mut w, "c1");
    bench.settle(&mut w);
    assert_eq!(w.dispositions().last(), Some(&EventOutcome::Held));
    let state = bench.state();
    assert!(matches!(state.phase, Phase::Halted { .. }));
    let error = state.last_error.expect("it says why").error;
    assert!(
        error.contains("`c`") && error.contains("max_producers"),
        "{error}"
    );
    assert_eq!((state.producers.known().len(), bench.held()), (2, 1));
    // One that names it halts it too; the others of the two go on once it may.
    operate(&bench, &Verb::Retry);
    deliver(&mut bench, &mut w, "a2 c1");
    bench.claim_swept(&mut w);
    bench.settle(&mut w);
    assert!(matches!(bench.state().phase, Phase::Halted { .. }));
    bench.rules.policy.max_producers = 3;
    let mut w = bench.worker("w2");
    operate(&bench, &Verb::Retry);
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["c1", "a2 c1"]);
    assert_eq!(bench.held(), 0);
}

#[test]
fn what_has_no_room_to_wait_stays_with_the_broker() {
    let mut bench = bench_with(|rules| rules.policy.key_quota.events = 1);
    let mut w = bench.worker("w");
    for id in ["b1 a1", "c1 a1"] {
        deliver(&mut bench, &mut w, id);
        bench.settle(&mut w);
    }
    let said = w.dispositions();
    assert!(
        matches!(said[..], [EventOutcome::Held, EventOutcome::Deferred(_)]),
        "{said:?}"
    );
    deliver(&mut bench, &mut w, "a1");
    deliver(&mut bench, &mut w, "c1 a1");
    assert_eq!(bench.run_ids(&mut w), ["a1", "b1 a1", "c1 a1"]);
}

#[test]
fn what_waits_stays_known_when_the_key_is_at_rest() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for id in ["c2", "b1 a1", "b2 a1"] {
        deliver(&mut bench, &mut w, id);
    }
    bench.settle(&mut w);
    assert_eq!((bench.held(), bench.owner()), (3, None));
    let mut other = bench.worker("other");
    deliver(&mut bench, &mut other, "a1");
    assert_eq!(bench.run_ids(&mut other), ["a1", "b1 a1", "b2 a1"]);
    deliver(&mut bench, &mut other, "c1");
    assert_eq!(bench.run_ids(&mut other), ["c1", "c2"]);
}

/// It says that it follows less than the one that waits.
#[test]
fn a_second_event_with_the_place_of_one_that_waits_is_in_conflict_whatever_it_follows() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver_as(&mut bench, &mut w, "x", "b1 a1");
    bench.settle(&mut w);
    w.settled();
    deliver_as(&mut bench, &mut w, "y", "b1");
    assert_eq!(bench.run_ids(&mut w), [""; 0]);
    assert!(matches!(w.dispositions()[..], [EventOutcome::Conflict(_)]));
    deliver(&mut bench, &mut w, "a1");
    assert_eq!(bench.run_ids(&mut w), ["a1", "x"]);
    assert_eq!(bench.held(), 0);
}
