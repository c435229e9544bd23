//! Events with Lamport times.

use super::*;
use crate::logical::LamportProducer;
use crate::protocol::engine::KeyChange;
use crate::protocol::{Order, Phase, Stamp};
use crate::worker::Control;

/// An event by its id: `b2@7` is the second event of b, at time 7.
fn stamp(id: &str) -> Stamp {
    let (producer, rest) = id.split_at(1);
    let (seq, time) = rest.split_once('@').expect("a seq and a time");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    Stamp::lamport(producer, number(seq), number(time)).expect("it is one")
}

pub(super) fn bench() -> Bench {
    bench_with(|_| {})
}

pub(super) fn bench_with(change: impl FnOnce(&mut Rules)) -> Bench {
    Bench::with(|rules| {
        rules.policy.order = Order::Lamport;
        change(rules);
    })
}

pub(super) fn deliver(bench: &mut Bench, w: &mut Worker, id: &str) {
    bench.deliver_with(w, u64::MAX, id, |event| {
        event.stamp = Some(std::sync::Arc::new(stamp(id)));
    });
}

fn say(bench: &mut Bench, w: &mut Worker, control: Control) {
    bench.tokens += 1;
    w.engine.control(&key(), control, Token(bench.tokens));
    bench.settle(w);
}

pub(super) fn shows(bench: &mut Bench, w: &mut Worker, producer: &str, after: u64, time: u64) {
    let clock = LamportProducer::at(after, time);
    say(bench, w, Control::clock(producer, clock));
}

pub(super) fn leaves(bench: &mut Bench, w: &mut Worker, producer: &str, (after, time): (u64, u64)) {
    let clock = LamportProducer::at(after, time);
    say(bench, w, Control::leave(producer, clock));
}

/// Runs whatever there is to run, and says the ids in the order in which they were committed.
pub(super) fn run_ids(bench: &Bench, w: &mut Worker) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.extend(committed(&bench.exchange(w)));
        if w.begin().is_some() {
            w.end(Ok(()));
        }
    }
    ids
}

/// Time passes, with heartbeats, and what is due is taken over.
pub(super) fn pass(bench: &Bench, w: &mut Worker, seconds: u64) {
    for _ in 0..seconds.div_ceil(20) {
        bench.clock.advance(1_000 * seconds.min(20));
        bench.beat(w);
    }
    bench.claim_swept(w);
}

pub(super) fn dispositions(w: &mut Worker) -> Vec<EventOutcome> {
    w.settled().into_iter().map(|(_, what)| what).collect()
}

/// What was said of the key, since the effects were taken last.
pub(super) fn changes(w: &Worker) -> Vec<KeyChange> {
    let changes = w.effects.iter().filter_map(|effect| match effect {
        Effect::Key { what, .. } => Some(what.clone()),
        _ => None,
    });
    changes.collect()
}

pub(super) fn holders(bench: &Bench) -> Vec<String> {
    let state = bench.state();
    let holders = state.producers.holders();
    holders.map(|known| known.name().to_owned()).collect()
}

#[test]
fn an_event_of_the_only_producer_costs_one_acquisition_and_one_save() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a1@5");
    runs_at_the_least_cost(&bench, &mut w, 1);
}

#[test]
fn an_event_waits_until_each_other_producer_has_sent_or_shown_a_later_time() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for producer in ["a", "b", "c"] {
        shows(&mut bench, &mut w, producer, 0, 0);
    }
    deliver(&mut bench, &mut w, "b1@5");
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    assert_eq!(
        (holders(&bench), bench.held()),
        (vec!["a".to_owned(), "c".to_owned()], 1)
    );
    deliver(&mut bench, &mut w, "a1@6");
    assert_eq!(
        run_ids(&bench, &mut w),
        [""; 0],
        "c may send something earlier"
    );
    assert_eq!(holders(&bench), ["c"]);
    shows(&mut bench, &mut w, "c", 0, 4);
    // The next of c is at 5 at the earliest, and b comes before c.
    assert_eq!(run_ids(&bench, &mut w), ["b1@5"]);
    // The next of b is at 6 at the earliest, and a comes before b.
    assert_eq!(holders(&bench), ["c"]);
    shows(&mut bench, &mut w, "c", 0, 6);
    assert_eq!(run_ids(&bench, &mut w), ["a1@6"]);
    assert_eq!(bench.state().gap_since, None);
}

#[test]
fn a_clock_counts_only_once_the_events_before_it_are_there() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for producer in ["a", "b"] {
        shows(&mut bench, &mut w, producer, 0, 0);
    }
    deliver(&mut bench, &mut w, "b1@5");
    shows(&mut bench, &mut w, "a", 2, 9);
    assert_eq!(run_ids(&bench, &mut w), [""; 0], "two of a are under way");
    deliver(&mut bench, &mut w, "a2@8");
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    deliver(&mut bench, &mut w, "a1@3");
    assert_eq!(run_ids(&bench, &mut w), ["a1@3", "b1@5"]);
    shows(&mut bench, &mut w, "b", 1, 9);
    assert_eq!(run_ids(&bench, &mut w), ["a2@8"]);
}

#[test]
fn of_the_same_time_the_producer_with_the_smaller_name_is_first() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for producer in ["a", "b"] {
        shows(&mut bench, &mut w, producer, 0, 0);
    }
    for id in ["b1@5", "b2@6", "a1@5", "a2@6"] {
        deliver(&mut bench, &mut w, id);
    }
    leaves(&mut bench, &mut w, "a", (2, 6));
    leaves(&mut bench, &mut w, "b", (2, 6));
    assert_eq!(run_ids(&bench, &mut w), ["a1@5", "b1@5", "a2@6", "b2@6"]);
}

#[test]
fn what_comes_after_its_time_was_released_is_late_and_its_producer_goes_on() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "b1@5");
    assert_eq!(run_ids(&bench, &mut w), ["b1@5"]);
    w.settled();
    for id in ["a1@3", "a2@5", "a3@6"] {
        deliver(&mut bench, &mut w, id);
    }
    leaves(&mut bench, &mut w, "b", (1, 5));
    assert_eq!(run_ids(&bench, &mut w), ["a3@6"]);
    let late = dispositions(&mut w);
    let late = late.iter().filter(|what| **what == EventOutcome::Late);
    assert_eq!(late.count(), 2);
    assert_eq!(bench.state().producers.released("a"), 3);
    // It is known for what it is.
    deliver(&mut bench, &mut w, "a1@3");
    bench.settle(&mut w);
    assert_eq!(dispositions(&mut w), [EventOutcome::Late]);
}

#[test]
fn what_waited_and_is_late_leaves_the_mailbox() {
    let delay = Duration::from_secs(5);
    let mut bench = bench_with(|rules| rules.policy.max_delay = Some(delay));
    let mut w = bench.worker("w");
    for id in ["a2@4", "b1@5"] {
        deliver(&mut bench, &mut w, id);
        bench.settle(&mut w);
    }
    assert_eq!(bench.held(), 2);
    pass(&bench, &mut w, 6);
    assert_eq!(run_ids(&bench, &mut w), ["b1@5"], "it has waited enough");
    deliver(&mut bench, &mut w, "a1@3");
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    let state = bench.state();
    assert_eq!((state.producers.released("a"), bench.held()), (2, 0));
    assert_eq!(state.dead_letters().count(), 1, "a1 is one of the broker's");
}

#[test]
fn a_longest_delay_is_a_guess() {
    let delay = Duration::from_secs(5);
    let mut bench = bench_with(|rules| rules.policy.max_delay = Some(delay));
    let mut w = bench.worker("w");
    for producer in ["a", "b"] {
        shows(&mut bench, &mut w, producer, 0, 0);
    }
    deliver(&mut bench, &mut w, "b1@5");
    bench.settle(&mut w);
    pass(&bench, &mut w, 4);
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    pass(&bench, &mut w, 2);
    assert_eq!(run_ids(&bench, &mut w), ["b1@5"]);
    w.settled();
    deliver(&mut bench, &mut w, "a1@4");
    bench.settle(&mut w);
    assert_eq!(dispositions(&mut w), [EventOutcome::Late]);
}

#[test]
fn a_worker_that_does_not_own_the_key_posts_and_asks_for_it_to_say_a_clock() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    shows(&mut bench, &mut owner, "a", 0, 0);
    deliver(&mut bench, &mut owner, "b1@5");
    bench.settle(&mut owner);
    assert_eq!(owner.begin(), None);
    deliver(&mut bench, &mut owner, "a1@2");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some(), "a1");
    for id in ["b2@8", "a2@6"] {
        deliver(&mut bench, &mut other, id);
    }
    bench.settle(&mut other);
    owner.end(Ok(()));
    assert_eq!(run_ids(&bench, &mut owner), ["a1@2", "b1@5", "a2@6"]);
    shows(&mut bench, &mut other, "a", 2, 9);
    assert_eq!(run_ids(&bench, &mut other), ["b2@8"]);
    assert_eq!((bench.held(), bench.owner()), (0, None));
}

#[test]
fn a_takeover_and_a_lost_answer_change_no_order() {
    for carried_out in [true, false] {
        let mut bench = bench();
        let (mut dies, mut other) = (bench.worker("dies"), bench.worker("other"));
        for producer in ["a", "b"] {
            shows(&mut bench, &mut dies, producer, 0, 0);
        }
        for id in ["b1@5", "a2@6", "a1@4"] {
            deliver(&mut bench, &mut dies, id);
        }
        bench.lose_answer(&mut dies, true);
        bench.settle(&mut dies);
        assert!(dies.begin().is_some(), "a1 runs");
        for id in ["a1@4", "b1@5", "a2@6", "b2@7"] {
            deliver(&mut bench, &mut other, id);
        }
        bench.settle(&mut other);
        bench.die(dies, &mut [&mut other]);
        bench.lose_answer(&mut other, carried_out);
        shows(&mut bench, &mut other, "a", 2, 9);
        assert_eq!(
            run_ids(&bench, &mut other),
            ["a1@4", "b1@5", "a2@6", "b2@7"],
            "{carried_out}"
        );
    }
}

#[test]
fn an_event_of_a_producer_too_many_halts_the_key_and_its_clock_stays_with_the_broker() {
    let mut bench = bench_with(|rules| rules.policy.max_producers = 1);
    let mut w = bench.worker("w");
    shows(&mut bench, &mut w, "a", 0, 0);
    deliver(&mut bench, &mut w, "b1@1");
    bench.settle(&mut w);
    assert!(matches!(bench.state().phase, Phase::Halted { .. }));
    assert_eq!(bench.held(), 1);
    w.effects.clear();
    shows(&mut bench, &mut w, "b", 0, 0);
    let deferred = |effect: &Effect| {
        matches!(
            effect,
            Effect::SettleControl {
                deferred: Some(_),
                ..
            }
        )
    };
    assert!(w.effects.iter().any(deferred));
    assert_eq!(bench.state().producers.known().len(), 1);
}

/// It comes just when the lease of its producer has ended, and before anybody has looked at the key.
#[test]
fn a_producer_is_heard_of_with_an_event_in_memory_that_is_not_its_next() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    shows(&mut bench, &mut w, "a", 0, 0);
    deliver(&mut bench, &mut w, "b1@5");
    bench.settle(&mut w);
    for _ in 0..4 {
        bench.clock.advance(20_000);
        bench.beat(&mut w);
    }
    deliver(&mut bench, &mut w, "a2@4");
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    deliver(&mut bench, &mut w, "a1@3");
    assert_eq!(run_ids(&bench, &mut w), ["a1@3", "a2@4"]);
}

/// What its producers have sent meanwhile piles up at the broker.
#[test]
fn a_producer_is_not_given_up_because_no_worker_ran_for_a_while() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    shows(&mut bench, &mut w, "a", 0, 0);
    deliver(&mut bench, &mut w, "b1@5");
    bench.settle(&mut w);
    drop(w);
    for _ in 0..20 {
        bench.clock.advance(20_000);
    }
    let mut w = bench.worker("w2");
    // It finds the key with its first sweep, before the broker has delivered anything.
    bench.claim_swept(&mut w);
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    deliver(&mut bench, &mut w, "a1@3");
    assert_eq!(run_ids(&bench, &mut w), ["a1@3"]);
}
