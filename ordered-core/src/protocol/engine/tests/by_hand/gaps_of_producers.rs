//! Events of producers that have not come: each producer has gaps of its own.

use super::causal::{bench, bench_with, deliver};
use super::operator::operate;
use super::*;
use crate::protocol::engine::KeyChange;
use crate::protocol::{GapPolicy, Phase, RepairWanted, Verb};
use crate::worker::Control;

pub(super) fn acting(on_gap: GapPolicy) -> Bench {
    bench_with(|rules| rules.policy.on_gap = on_gap)
}

/// So many seconds pass, and what needs an owner is looked at in each of them.
pub(super) fn wait(bench: &mut Bench, w: &mut Worker, seconds: u64) -> Vec<String> {
    let mut ran = Vec::new();
    for _ in 0..seconds {
        bench.clock.advance(1_000);
        bench.beat(w);
        bench.claim_swept(w);
        ran.extend(bench.run_ids(w));
    }
    ran
}

pub(super) fn asked(w: &mut Worker) -> Vec<String> {
    let effects = std::mem::take(&mut w.effects).into_iter();
    let asked = effects.filter_map(|effect| match effect {
        Effect::Key {
            what: KeyChange::RepairWanted(wanted),
            ..
        } => {
            let RepairWanted { producer, from, to } = wanted;
            Some(format!("{} {from}-{to}", producer.expect("it has one")))
        }
        _ => None,
    });
    asked.collect()
}

pub(super) fn seq(number: u64) -> crate::event::Seq {
    crate::event::Seq::new(number).expect("it is in bounds")
}

pub(super) fn control(bench: &mut Bench, w: &mut Worker, control: Control) {
    bench.tokens += 1;
    w.engine.control(&key(), control, Token(bench.tokens));
    bench.settle(w);
}

fn fill(bench: &mut Bench, w: &mut Worker, producer: &str, from: u64, to: u64) {
    let fill = Control::GapFillOf {
        producer: producer.into(),
        from: seq(from),
        to: seq(to),
    };
    control(bench, w, fill);
}

#[test]
fn what_is_missing_too_long_is_passed_over_or_halts_the_key() {
    let after = Duration::from_secs(10);
    for on_gap in [GapPolicy::Skip { after }, GapPolicy::Halt { after }] {
        let mut bench = bench_with(|rules| rules.policy.on_gap = on_gap);
        let mut w = bench.worker("w");
        deliver(&mut bench, &mut w, "b1 a1");
        bench.settle(&mut w);
        bench.clock.advance(9_000);
        bench.beat(&mut w);
        bench.claim_swept(&mut w);
        bench.settle(&mut w);
        assert_eq!((w.begin(), bench.state().phase), (None, Phase::Open));
        bench.clock.advance(2_000);
        bench.beat(&mut w);
        bench.claim_swept(&mut w);
        let ran = bench.run_ids(&mut w);
        if matches!(on_gap, GapPolicy::Skip { .. }) {
            assert_eq!(ran, ["b1 a1"]);
            continue;
        }
        assert_eq!(ran, [""; 0]);
        let state = bench.state();
        assert!(matches!(state.phase, Phase::Halted { .. }));
        let error = state.last_error.expect("it says why").error;
        assert_eq!(error, "still missing after 10s: event 1 of a");
        operate(&bench, &Verb::Retry);
        deliver(&mut bench, &mut w, "a1");
        assert_eq!(bench.run_ids(&mut w), ["a1", "b1 a1"]);
    }
}

#[test]
fn an_operator_passes_over_what_is_missing() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for id in ["a1", "b3 a2", "b4 a2"] {
        deliver(&mut bench, &mut w, id);
    }
    assert_eq!(bench.run_ids(&mut w), ["a1"]);
    operate(&bench, &Verb::Skip { to: None });
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["b3 a2", "b4 a2"]);
    w.settled();
    for id in ["a2", "b1", "a3"] {
        deliver(&mut bench, &mut w, id);
    }
    bench.settle(&mut w);
    let late = [EventOutcome::Late, EventOutcome::Late];
    assert_eq!(w.dispositions(), late, "they come after their effects");
    assert_eq!(bench.run_ids(&mut w), ["a3"]);
}

#[test]
fn clocks_that_make_a_circle_wait_until_an_operator_passes_over_it() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for id in ["a1 b1", "b1 a1"] {
        deliver(&mut bench, &mut w, id);
    }
    assert_eq!(bench.run_ids(&mut w), [""; 0]);
    operate(&bench, &Verb::Skip { to: None });
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["a1 b1", "b1 a1"]);
}

#[test]
fn a_gap_of_one_producer_is_over_in_its_time_though_others_keep_the_key_at_work() {
    let after = Duration::from_secs(10);
    let mut bench = acting(GapPolicy::Skip { after });
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a3");
    deliver(&mut bench, &mut w, "b1");
    let mut ran = Vec::new();
    for second in 1..=20 {
        bench.settle(&mut w);
        assert!(w.begin().is_some(), "something runs all the time");
        deliver(&mut bench, &mut w, &format!("b{}", second + 1));
        bench.clock.advance(1_000);
        bench.beat(&mut w);
        w.end(Ok(()));
        ran.extend(committed(&bench.exchange(&mut w)));
    }
    let at = ran.iter().position(|id| id == "a3");
    assert!(at.is_some_and(|at| (9..=13).contains(&at)), "{ran:?}");
    let of_b = ran.iter().filter(|id| *id != "a3");
    let expected = (1..ran.len()).map(|number| format!("b{number}"));
    assert!(of_b.eq(expected.collect::<Vec<_>>().iter()), "{ran:?}");
    assert_eq!(bench.state().producers.released("a"), 3);
    w.settled();
    deliver(&mut bench, &mut w, "a1");
    bench.settle(&mut w);
    assert_eq!(w.dispositions(), [EventOutcome::Late]);
}

#[test]
fn what_is_in_memory_is_not_missing_however_long_its_gap_has_lasted() {
    let after = Duration::from_secs(10);
    for on_gap in [GapPolicy::Skip { after }, GapPolicy::Halt { after }] {
        let mut bench = acting(on_gap);
        let mut w = bench.worker("w");
        deliver(&mut bench, &mut w, "a2");
        bench.settle(&mut w);
        deliver(&mut bench, &mut w, "b1");
        bench.settle(&mut w);
        assert!(w.begin().is_some());
        deliver(&mut bench, &mut w, "a1");
        bench.clock.advance(20_000);
        bench.beat(&mut w);
        w.end(Ok(()));
        assert_eq!(bench.run_ids(&mut w), ["b1", "a1", "a2"]);
    }
}

#[test]
fn what_another_worker_posted_is_not_missing() {
    let after = Duration::from_secs(10);
    let mut bench = acting(GapPolicy::Skip { after });
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a2");
    bench.settle(&mut owner);
    deliver(&mut bench, &mut owner, "b1");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    deliver(&mut bench, &mut other, "a1");
    bench.settle(&mut other);
    bench.clock.advance(20_000);
    bench.beat(&mut owner);
    owner.end(Ok(()));
    assert_eq!(bench.run_ids(&mut owner), ["b1", "a1", "a2"]);
}

#[test]
fn a_key_that_was_halted_before_a_gap_waits_for_it_once_more() {
    let after = Duration::from_secs(10);
    let mut bench = acting(GapPolicy::Halt { after });
    let mut w = bench.worker("w");
    for id in ["a2", "b2"] {
        deliver(&mut bench, &mut w, id);
    }
    let ran = wait(&mut bench, &mut w, 12);
    assert_eq!(ran, [""; 0]);
    let state = bench.state();
    assert!(matches!(state.phase, Phase::Halted { .. }));
    let error = state.last_error.expect("it says why").error;
    assert_eq!(error, "still missing after 10s: event 1 of a, event 1 of b");
    operate(&bench, &Verb::Retry);
    wait(&mut bench, &mut w, 8);
    assert_eq!(bench.state().phase, Phase::Open);
    deliver(&mut bench, &mut w, "b1");
    assert_eq!(bench.run_ids(&mut w), ["b1", "b2"]);
    wait(&mut bench, &mut w, 4);
    assert!(matches!(bench.state().phase, Phase::Halted { .. }));
}

#[test]
fn what_is_missing_of_each_producer_is_asked_for_by_itself_until_it_comes() {
    let after = Duration::from_secs(10);
    let mut bench = acting(GapPolicy::Repair { after });
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "b1 a2");
    bench.settle(&mut w);
    wait(&mut bench, &mut w, 5);
    deliver(&mut bench, &mut w, "c2");
    bench.settle(&mut w);
    wait(&mut bench, &mut w, 4);
    assert_eq!(asked(&mut w), [""; 0], "not before its time");
    wait(&mut bench, &mut w, 2);
    assert_eq!(asked(&mut w), ["a 1-2"]);
    let of_missing = bench.state().producers.asked_for_missing();
    assert_eq!(of_missing, None, "of c, which is the nearest");
    wait(&mut bench, &mut w, 5);
    assert_eq!(asked(&mut w), ["c 1-1"]);
    let of_missing = bench.state().producers.asked_for_missing();
    assert_eq!(of_missing.map(|asked| asked.times), Some(1));
    wait(&mut bench, &mut w, 15);
    assert_eq!(asked(&mut w), ["a 1-2"], "after twice the time");
    deliver(&mut bench, &mut w, "a1");
    assert_eq!(bench.run_ids(&mut w), ["a1"]);
    wait(&mut bench, &mut w, 1);
    assert_eq!(asked(&mut w), ["a 2-2"], "it has waited long enough");
    for id in ["a2", "c1"] {
        deliver(&mut bench, &mut w, id);
    }
    assert_eq!(bench.run_ids(&mut w), ["a2", "b1 a2", "c1", "c2"]);
    assert_eq!(bench.state().producers.asked_for_missing(), None);
}

#[test]
fn what_a_producer_says_will_never_come_is_passed_in_its_turn() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "b1 a4");
    bench.settle(&mut w);
    // Shuffled, and twice.
    fill(&mut bench, &mut w, "a", 3, 4);
    fill(&mut bench, &mut w, "a", 3, 4);
    let missing = bench.state().producers.missing();
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["events 1 to 2 of a"]);
    deliver(&mut bench, &mut w, "a1");
    assert_eq!(bench.run_ids(&mut w), ["a1"]);
    fill(&mut bench, &mut w, "a", 2, 2);
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["b1 a4"]);
    w.settled();
    deliver(&mut bench, &mut w, "a2");
    deliver(&mut bench, &mut w, "a5");
    assert_eq!(bench.run_ids(&mut w), ["a5"]);
    let said = w.dispositions();
    assert_eq!(said, [EventOutcome::Late, EventOutcome::Committed]);
}

#[test]
fn what_is_here_although_it_was_to_come_never_runs_in_its_turn() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a3");
    bench.settle(&mut w);
    fill(&mut bench, &mut w, "a", 1, 4);
    // In the mailbox, and then in memory.
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["a3"]);
    assert_eq!(bench.state().producers.released("a"), 4);
    fill(&mut bench, &mut w, "a", 6, 8);
    deliver(&mut bench, &mut w, "a7");
    assert_eq!(bench.run_ids(&mut w), [""; 0]);
    deliver(&mut bench, &mut w, "a5");
    assert_eq!(bench.run_ids(&mut w), ["a5", "a7"]);
    assert_eq!(bench.state().producers.released("a"), 8);
}

#[test]
fn a_key_halts_before_what_it_asked_a_producer_for_and_is_lost() {
    let after = Duration::from_secs(10);
    let mut bench = acting(GapPolicy::Repair { after });
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "b1 a2");
    bench.settle(&mut w);
    let lost = |producer: &str, from, to| Control::LostOf {
        producer: producer.into(),
        from: seq(from),
        to: seq(to),
        why: "it was removed".into(),
    };
    control(&mut bench, &mut w, lost("a", 1, 2));
    assert_eq!(bench.state().phase, Phase::Open, "it has not asked");
    wait(&mut bench, &mut w, 12);
    for other in [lost("a", 2, 2), lost("b", 1, 2)] {
        control(&mut bench, &mut w, other);
        assert_eq!(bench.state().phase, Phase::Open, "1 of a may still come");
    }
    control(&mut bench, &mut w, lost("a", 1, 1));
    let state = bench.state();
    assert!(matches!(state.phase, Phase::Halted { .. }));
    assert_eq!(
        state.last_error.expect("it says why").error,
        "event 1 of a cannot be sent again: it was removed"
    );
    // Who lets it go on has it asked for anew, and an old answer does not halt it again.
    operate(&bench, &Verb::Retry);
    control(&mut bench, &mut w, lost("a", 1, 1));
    assert_eq!(bench.state().phase, Phase::Open);
    w.settled();
    wait(&mut bench, &mut w, 12);
    assert_eq!(asked(&mut w), ["a 1-2"]);
}
