//! Applications that take several events of a key together, or run ahead of commits.

use ordered_testkit::simulation::{App, Faults, Simulation};

use super::{keeper, stream, timed};

fn batches() -> App {
    keeper().worker(|worker| worker.batch(4))
}

fn windows() -> App {
    keeper().worker(|worker| worker.commit_window(3))
}

/// With batches of the store so short that what is said together is parted, and the next is on its way while the answer
/// to the last is worked on.
fn both() -> App {
    keeper().worker(|worker| worker.batch(3).commit_window(5).batch_commands(2))
}

fn faults() -> Faults {
    let mut faults = Faults::all();
    // Handlers are the shorter part, so that commits are on their way often.
    faults.slow_handler = faults.slow_store / 4;
    faults.failures = 10;
    faults
}

fn check(app: fn() -> App) {
    let simulation = Simulation::new(app).events(stream(2, 24)).runs(60);
    let summary = timed(&simulation.faults(faults()));
    assert_eq!(summary.committed, summary.runs * 48);
}

#[test]
fn no_promise_is_broken_whatever_happens_to_batches() {
    check(batches);
}

#[test]
fn no_promise_is_broken_whatever_happens_within_a_commit_window() {
    check(windows);
}

#[test]
fn no_promise_is_broken_whatever_happens_to_batches_within_a_commit_window() {
    check(both);
}

/// They do run together, and ahead: by the rules of a strict worker the same histories are wrong.
#[test]
fn batches_and_windows_are_used() {
    for app in [batches, windows] {
        let simulation = Simulation::new(app).events(stream(2, 24));
        let history = simulation.faults(faults()).history(1);
        assert!(!history.violations().is_empty());
    }
}
