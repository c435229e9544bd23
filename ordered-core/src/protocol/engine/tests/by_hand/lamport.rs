//! Events with Lamport times.

use super::operator::operate;
use super::*;
use crate::protocol::engine::KeyChange;
use crate::protocol::{GapPolicy, Order, Phase, Stamp, Verb};
use crate::worker::Control;

/// An event by its id: `b2@7` is the second event of b, at time 7.
fn stamp(id: &str) -> Stamp {
    let (producer, rest) = id.split_at(1);
    let (seq, time) = rest.split_once('@').expect("a seq and a time");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    Stamp::lamport(producer, number(seq), number(time)).expect("it is one")
}

fn bench() -> Bench {
    bench_with(|_| {})
}

fn bench_with(change: impl FnOnce(&mut Rules)) -> Bench {
    Bench::with(|rules| {
        rules.policy.order = Order::Lamport;
        change(rules);
    })
}

fn deliver(bench: &mut Bench, w: &mut Worker, id: &str) {
    bench.deliver_with(w, u64::MAX, id, |event| {
        event.stamp = Some(std::sync::Arc::new(stamp(id)));
    });
}

fn say(bench: &mut Bench, w: &mut Worker, control: Control) {
    bench.tokens += 1;
    w.engine.control(&key(), control, Token(bench.tokens));
    bench.settle(w);
}

fn shows(bench: &mut Bench, w: &mut Worker, producer: &str, after: u64, time: u64) {
    let producer = producer.to_owned();
    let control = Control::Clock {
        producer,
        after,
        time,
    };
    say(bench, w, control);
}

fn leaves(bench: &mut Bench, w: &mut Worker, producer: &str, (after, time): (u64, u64)) {
    let producer = producer.to_owned();
    let leave = Control::Leave {
        producer,
        after,
        time,
    };
    say(bench, w, leave);
}

fn committed(said: &[Request]) -> Vec<String> {
    let ids = said.iter().flat_map(|request| match request {
        Request::Save(save) => save.remember.clone(),
        Request::Acquire(_) => Vec::new(),
    });
    ids.map(|id| id.to_string()).collect()
}

/// Runs whatever there is to run, and says the ids in the order in which they were committed.
fn run_ids(bench: &Bench, w: &mut Worker) -> Vec<String> {
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
fn pass(bench: &Bench, w: &mut Worker, seconds: u64) {
    for _ in 0..seconds.div_ceil(20) {
        bench.clock.advance(1_000 * seconds.min(20));
        bench.beat(w);
    }
    bench.claim_swept(w);
}

fn dispositions(w: &mut Worker) -> Vec<EventOutcome> {
    w.settled().into_iter().map(|(_, what)| what).collect()
}

/// What was said of the key, since the effects were taken last.
fn changes(w: &Worker) -> Vec<KeyChange> {
    let changes = w.effects.iter().filter_map(|effect| match effect {
        Effect::Key { what, .. } => Some(what.clone()),
        _ => None,
    });
    changes.collect()
}

fn holders(bench: &Bench) -> Vec<String> {
    let state = bench.state();
    let holders = state.producers.holders();
    holders.map(|known| known.name().to_owned()).collect()
}

#[test]
fn an_event_of_the_only_producer_costs_one_acquisition_and_one_save() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a1@5");
    assert!(matches!(bench.exchange(&mut w)[..], [Request::Acquire(_)]));
    assert_eq!(bench.exchange(&mut w), []);
    assert_eq!(w.begin(), Some((1, 1)));
    w.end(Ok(()));
    let said = bench.exchange(&mut w);
    let [Request::Save(save)] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(save.release && save.remember.len() == 1 && save.changes.is_empty());
    assert_eq!((bench.state().last_seq, bench.owner()), (1, None));
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
fn a_producer_that_leaves_or_says_nothing_is_not_waited_for() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for producer in ["a", "b", "c"] {
        shows(&mut bench, &mut w, producer, 0, 0);
    }
    deliver(&mut bench, &mut w, "b1@5");
    leaves(&mut bench, &mut w, "a", (0, 5));
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    assert_eq!(holders(&bench), ["c"]);
    pass(&bench, &mut w, 40);
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    pass(&bench, &mut w, 40);
    assert_eq!(run_ids(&bench, &mut w), ["b1@5"], "its lease has ended");
    let producers = vec!["c".to_owned()];
    assert!(changes(&w).contains(&KeyChange::GivenUp { producers }));
    // It is not waited for a second time.
    deliver(&mut bench, &mut w, "b2@6");
    assert_eq!(run_ids(&bench, &mut w), ["b2@6"]);
    // One that sends again is there again.
    shows(&mut bench, &mut w, "c", 0, 6);
    deliver(&mut bench, &mut w, "a1@8");
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    assert_eq!(holders(&bench), ["b", "c"]);
}

#[test]
fn a_producer_is_given_up_only_once_an_event_has_waited_for_it() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    shows(&mut bench, &mut w, "a", 0, 0);
    // Nobody listened for a while: what a has sent may be on its way.
    pass(&bench, &mut w, 200);
    deliver(&mut bench, &mut w, "b1@5");
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    deliver(&mut bench, &mut w, "a1@3");
    assert_eq!(run_ids(&bench, &mut w), ["a1@3"]);
    pass(&bench, &mut w, 40);
    shows(&mut bench, &mut w, "a", 1, 3);
    pass(&bench, &mut w, 40);
    assert_eq!(run_ids(&bench, &mut w), [""; 0], "it was heard of");
    pass(&bench, &mut w, 40);
    assert_eq!(run_ids(&bench, &mut w), ["b1@5"]);
}

#[test]
fn a_producer_whose_events_wait_for_one_that_is_missing_is_not_given_up() {
    let after = Duration::from_secs(200);
    for on_gap in [
        GapPolicy::Wait,
        GapPolicy::Skip { after },
        GapPolicy::Halt { after },
    ] {
        let mut bench = bench_with(|rules| rules.policy.on_gap = on_gap);
        let mut w = bench.worker("w");
        for id in ["a2@4", "b1@5"] {
            deliver(&mut bench, &mut w, id);
            bench.settle(&mut w);
        }
        pass(&bench, &mut w, 180);
        assert_eq!(run_ids(&bench, &mut w), [""; 0]);
        assert_eq!(holders(&bench), ["a"]);
        pass(&bench, &mut w, 40);
        let ran = run_ids(&bench, &mut w);
        let phase = bench.state().phase;
        match on_gap {
            GapPolicy::Skip { .. } => assert_eq!(ran, ["a2@4", "b1@5"]),
            GapPolicy::Halt { .. } => assert!(matches!(phase, Phase::Halted { .. })),
            _ => assert_eq!((ran.len(), phase), (0, Phase::Open)),
        }
    }
}

#[test]
fn a_gap_policy_is_not_for_producers_that_say_nothing() {
    let after = Duration::from_secs(10);
    for on_gap in [GapPolicy::Skip { after }, GapPolicy::Halt { after }] {
        let mut bench = bench_with(|rules| rules.policy.on_gap = on_gap);
        let mut w = bench.worker("w");
        shows(&mut bench, &mut w, "a", 0, 0);
        deliver(&mut bench, &mut w, "b1@5");
        pass(&bench, &mut w, 20);
        assert_eq!(run_ids(&bench, &mut w), [""; 0]);
        assert_eq!(bench.state().phase, Phase::Open);
        // What is missing is waited for from when that is known.
        deliver(&mut bench, &mut w, "c2@9");
        bench.settle(&mut w);
        pass(&bench, &mut w, 5);
        assert_eq!(run_ids(&bench, &mut w), [""; 0]);
        let state = bench.state();
        assert_eq!(
            (state.producers.released("c"), state.phase),
            (0, Phase::Open)
        );
        pass(&bench, &mut w, 6);
        assert_eq!(run_ids(&bench, &mut w), [""; 0]);
        let state = bench.state();
        match on_gap {
            GapPolicy::Skip { .. } => assert_eq!(state.producers.released("c"), 1),
            _ => assert!(matches!(state.phase, Phase::Halted { .. })),
        }
    }
}

#[test]
fn an_operator_passes_over_what_is_missing_and_then_over_who_says_nothing() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    shows(&mut bench, &mut w, "a", 0, 0);
    for id in ["b2@5", "c1@6"] {
        deliver(&mut bench, &mut w, id);
    }
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    operate(&bench, &Verb::Skip { to: None });
    assert_eq!(bench.state().producers.released("b"), 1);
    bench.claim_swept(&mut w);
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    assert_eq!(holders(&bench), ["a"]);
    operate(&bench, &Verb::Skip { to: None });
    bench.claim_swept(&mut w);
    assert_eq!(run_ids(&bench, &mut w), ["b2@5"]);
    w.settled();
    deliver(&mut bench, &mut w, "b1@3");
    bench.settle(&mut w);
    assert_eq!(dispositions(&mut w), [EventOutcome::Late]);
}

#[test]
fn a_clock_from_before_its_producer_left_does_not_bring_it_back_and_a_later_one_does() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for producer in ["a", "b"] {
        shows(&mut bench, &mut w, producer, 0, 0);
    }
    leaves(&mut bench, &mut w, "a", (0, 5));
    shows(&mut bench, &mut w, "a", 0, 4);
    deliver(&mut bench, &mut w, "b1@6");
    assert_eq!(run_ids(&bench, &mut w), ["b1@6"]);
    shows(&mut bench, &mut w, "a", 0, 6);
    // What it said when it left comes once more, after it has come back.
    leaves(&mut bench, &mut w, "a", (0, 5));
    deliver(&mut bench, &mut w, "b2@8");
    assert_eq!(run_ids(&bench, &mut w), [""; 0]);
    assert_eq!(holders(&bench), ["a"]);
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
