//! Keys that were halted because of what a producer did not send, while others did.

use super::causal::deliver;
use super::gaps_of_producers::{acting, asked, control, seq, wait};
use super::operator::operate;
use super::*;
use crate::protocol::{GapPolicy, MissingCause, Phase, Verb};
use crate::worker::Control;

const AFTER: Duration = Duration::from_secs(10);

fn lost(producer: &str, from: u64, to: u64) -> Control {
    Control::LostOf {
        producer: producer.into(),
        from: seq(from),
        to: seq(to),
        why: "it was removed".into(),
    }
}

fn missing(bench: &Bench) -> Vec<String> {
    let missing = bench.state().producers.missing();
    missing.iter().map(MissingCause::to_string).collect()
}

fn is_halted(bench: &Bench) -> bool {
    matches!(bench.state().phase, Phase::Halted { .. })
}

/// Something of b comes when the gap of a has lasted long enough, and is at the head of a key that is halted.
fn halted_with_another_at_the_head() -> (Bench, Worker) {
    let mut bench = acting(GapPolicy::Halt { after: AFTER });
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a2");
    bench.settle(&mut w);
    bench.clock.advance(20_000);
    bench.beat(&mut w);
    deliver(&mut bench, &mut w, "b1");
    bench.settle(&mut w);
    let state = bench.state();
    assert!(is_halted(&bench) && state.held.contains(state.head()));
    (bench, w)
}

#[test]
fn who_lets_a_key_go_on_that_was_halted_before_a_gap_lets_it_wait_as_long_again() {
    let (mut bench, mut w) = halted_with_another_at_the_head();
    operate(&bench, &Verb::Retry);
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["b1"]);
    wait(&mut bench, &mut w, 8);
    assert!(!is_halted(&bench));
    wait(&mut bench, &mut w, 4);
    assert!(is_halted(&bench));
}

#[test]
fn who_passes_over_a_gap_passes_over_nothing_else() {
    let (mut bench, mut w) = halted_with_another_at_the_head();
    operate(&bench, &Verb::Skip { to: None });
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["b1", "a2"]);
    let state = bench.state();
    assert_eq!(
        (state.dead_letters().count(), state.phase),
        (0, Phase::Open)
    );
    w.settled();
    deliver(&mut bench, &mut w, "a1");
    bench.settle(&mut w);
    assert_eq!(w.dispositions(), [EventOutcome::Late]);
}

#[test]
fn what_was_halted_for_and_has_come_is_not_passed_over() {
    let (mut bench, mut w) = halted_with_another_at_the_head();
    deliver(&mut bench, &mut w, "a1");
    bench.settle(&mut w);
    assert!(is_halted(&bench) && missing(&bench).is_empty());
    operate(&bench, &Verb::Retry);
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["b1", "a1", "a2"]);
}

#[test]
fn of_several_gaps_that_is_named_and_passed_over_which_halts_the_key() {
    let mut bench = acting(GapPolicy::Repair { after: AFTER });
    let mut w = bench.worker("w");
    for id in ["a2", "c3"] {
        deliver(&mut bench, &mut w, id);
    }
    wait(&mut bench, &mut w, 12);
    assert_eq!(asked(&mut w), ["a 1-1", "c 1-2"]);
    assert_eq!(missing(&bench), ["event 1 of a"], "it is the nearest");
    control(&mut bench, &mut w, lost("c", 1, 2));
    assert!(is_halted(&bench));
    let error = bench.state().last_error.expect("it says why").error;
    assert_eq!(
        error,
        "events 1 to 2 of c cannot be sent again: it was removed"
    );
    assert_eq!(missing(&bench), ["events 1 to 2 of c"]);
    // Another one is at the head by then.
    deliver(&mut bench, &mut w, "b1");
    bench.settle(&mut w);
    operate(&bench, &Verb::Skip { to: None });
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["b1", "c3"]);
    assert_eq!(missing(&bench), ["event 1 of a"]);
    deliver(&mut bench, &mut w, "a1");
    assert_eq!(bench.run_ids(&mut w), ["a1", "a2"]);
    assert_eq!(bench.state().dead_letters().count(), 0);
}

#[test]
fn what_is_lost_is_asked_for_anew_though_another_one_is_at_the_head() {
    let mut bench = acting(GapPolicy::Repair { after: AFTER });
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a2");
    wait(&mut bench, &mut w, 12);
    control(&mut bench, &mut w, lost("a", 1, 1));
    deliver(&mut bench, &mut w, "b1");
    bench.settle(&mut w);
    operate(&bench, &Verb::Retry);
    asked(&mut w);
    assert_eq!(wait(&mut bench, &mut w, 8), ["b1"]);
    assert_eq!(asked(&mut w), [""; 0]);
    wait(&mut bench, &mut w, 4);
    assert_eq!(asked(&mut w), ["a 1-1"]);
}

/// Another worker has posted it, and the owner has not read that yet.
#[test]
fn what_was_posted_is_not_lost() {
    let mut bench = acting(GapPolicy::Repair { after: AFTER });
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a2");
    wait(&mut bench, &mut owner, 12);
    deliver(&mut bench, &mut owner, "b1");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    deliver(&mut bench, &mut other, "a1");
    bench.settle(&mut other);
    // What keeps the key with its owner, which is told of a1 with the answer to the commit of b1.
    deliver(&mut bench, &mut owner, "c2");
    owner.end(Ok(()));
    assert_eq!(committed(&bench.exchange(&mut owner)), ["b1"]);
    control(&mut bench, &mut owner, lost("a", 1, 1));
    assert_eq!(bench.run_ids(&mut owner), ["a1", "a2"]);
    assert!(!is_halted(&bench));
}

#[test]
fn a_gap_halts_no_key_whose_head_has_failed() {
    let mut bench = acting(GapPolicy::Halt { after: AFTER });
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a2");
    bench.settle(&mut w);
    deliver(&mut bench, &mut w, "b1");
    bench.settle(&mut w);
    assert!(w.begin().is_some());
    w.end(failed());
    bench.settle(&mut w);
    bench.clock.advance(20_000);
    bench.beat(&mut w);
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["b1"]);
    wait(&mut bench, &mut w, 1);
    assert!(is_halted(&bench), "now it may");
    assert_eq!(bench.state().attempts, 0);
}
