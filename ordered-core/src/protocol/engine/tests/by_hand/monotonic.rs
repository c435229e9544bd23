//! Versions.

use super::*;
use crate::protocol::Order;

fn bench(coalesce: bool) -> Bench {
    Bench::with(|rules| rules.policy.order = Order::Monotonic { coalesce })
}

#[test]
fn a_version_costs_one_acquisition_and_one_save_whatever_lies_before_it() {
    let mut bench = bench(false);
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 41);
    runs_at_the_least_cost(&bench, &mut w, 41);
}

#[test]
fn an_older_version_is_superseded_and_a_repetition_is_a_duplicate() {
    let mut bench = bench(false);
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 7);
    bench.run_all(&mut w);
    w.settled();
    bench.deliver(&mut w, 5);
    bench.deliver(&mut w, 7);
    assert_eq!(bench.run_all(&mut w), []);
    assert_eq!(
        w.settled(),
        [(5, EventOutcome::Superseded), (7, EventOutcome::Duplicate)]
    );
}

#[test]
fn versions_that_wait_run_from_the_oldest_to_the_newest() {
    let mut bench = bench(false);
    let mut w = bench.worker("w");
    for version in [9, 5, 7] {
        bench.deliver(&mut w, version);
    }
    assert_eq!(bench.run_all(&mut w), [(5, 5), (7, 7), (9, 9)]);
    assert_eq!(bench.held(), 0);
}

#[test]
fn of_versions_that_coalesce_only_the_newest_that_waits_runs() {
    let mut bench = bench(true);
    let (mut w, mut other) = (bench.worker("w"), bench.worker("other"));
    for version in [5, 9, 7] {
        bench.deliver(&mut w, version);
    }
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((9, 9)));
    bench.deliver(&mut w, 12);
    for version in [10, 11, 14, 13] {
        bench.deliver(&mut other, version);
    }
    bench.settle(&mut other);
    w.end(Ok(()));
    assert_eq!(bench.run_all(&mut w), [(14, 14)]);
    let superseded = w.effects.iter().filter_map(|effect| match effect {
        Effect::Key {
            what: super::super::super::KeyChange::Superseded { events },
            ..
        } => Some(*events),
        _ => None,
    });
    assert_eq!(superseded.sum::<u64>(), 3, "10, 11 and 13 were held");
    let mut settled = w.settled();
    settled.sort_by_key(|(version, _)| *version);
    let superseded = settled
        .iter()
        .filter(|(_, what)| *what == EventOutcome::Superseded);
    let superseded: Vec<u64> = superseded.map(|(version, _)| *version).collect();
    assert_eq!(superseded, [5, 7, 12]);
    assert_eq!((bench.held(), bench.state().last_seq), (0, 14));
}

#[test]
fn a_version_that_is_tried_again_stays_the_head() {
    let mut bench = bench(false);
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 7);
    bench.settle(&mut w);
    assert!(w.begin().is_some());
    w.end(failed());
    bench.settle(&mut w);
    bench.deliver(&mut w, 5);
    bench.deliver(&mut w, 9);
    bench.settle(&mut w);
    assert_eq!(bench.state().attempts, 1);
    bench.clock.advance(1_000);
    bench.beat(&mut w);
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_all(&mut w), [(7, 7), (9, 9)]);
    let superseded = w.says(|what| *what == EventChange::Superseded);
    assert_eq!(superseded, 1);
}

#[test]
fn two_events_with_one_version_are_a_conflict_while_the_first_waits() {
    let mut bench = bench(false);
    let mut w = bench.worker("w");
    bench.deliver_as(&mut w, 3, "a");
    bench.deliver_as(&mut w, 3, "b");
    bench.settle(&mut w);
    let conflict = EventOutcome::Conflict(Some(EventId::new("a").unwrap()));
    assert_eq!(w.settled(), [(3, conflict)]);
}

#[test]
fn a_dead_letter_is_replayed_only_while_no_newer_version_was_run() {
    use crate::protocol::{Refusal, Transition, Verb};
    let mut bench = Bench::with(|rules| {
        rules.policy.order = Order::Monotonic { coalesce: false };
        rules.on_exhausted = OnExhausted::DeadLetter;
    });
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 7);
    bench.settle(&mut w);
    assert!(w.begin().is_some());
    w.end(never());
    bench.settle(&mut w);
    let replay = |bench: &Bench| {
        let (mut state, policy) = (bench.state(), bench.rules.policy.clone());
        let mut transition = Transition::new(&mut state, &policy, 0);
        transition.operate(&Verb::Replay { seq: None }, None)
    };
    assert_eq!(replay(&bench).map(|effect| effect.marked), Ok(vec![7]));
    bench.deliver(&mut w, 9);
    bench.run_all(&mut w);
    assert_eq!(replay(&bench), Err(Refusal::NewerVersion));
}
