//! Producers that leave or say nothing, and the events with Lamport times that wait for them.

use super::lamport::{
    bench, bench_with, changes, deliver, dispositions, holders, leaves, pass, run_ids, shows,
};
use super::operator::operate;
use super::*;
use crate::protocol::engine::KeyChange;
use crate::protocol::{GapPolicy, Phase, Verb};

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
