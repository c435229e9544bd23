//! Applications that do not handle everything: what fails permanently is dead-lettered, and what does not come is
//! skipped.

use std::time::Duration;

use ordered_core::handler::OnExhausted;
use ordered_core::protocol::GapPolicy;
use ordered_testkit::simulation::{App, Faults, Simulation};

use super::{keeper, stream, timed};

/// Two attempts for an event.
pub(super) fn impatient() -> App {
    keeper().worker(|worker| {
        let worker = worker.max_attempts(2);
        worker.on_exhausted(OnExhausted::DeadLetter)
    })
}

pub(super) fn failing() -> Faults {
    let mut faults = Faults::all();
    faults.failures = 30;
    faults
}

/// What does not come within two seconds is skipped.
pub(super) fn hasty() -> App {
    keeper().worker(|worker| {
        worker.on_gap(GapPolicy::Skip {
            after: Duration::from_secs(2),
        })
    })
}

#[test]
fn what_is_dead_lettered_breaks_no_order_and_is_not_lost() {
    let simulation = Simulation::new(impatient).events(stream(3, 10));
    let summary = timed(&simulation.faults(failing()).runs(40));
    assert!(summary.dead_lettered > summary.runs, "{summary:?}");
    assert!(summary.committed + summary.dead_lettered >= summary.runs * 30);
}

#[test]
fn what_is_skipped_breaks_no_order_and_comes_late() {
    let summary = timed(&Simulation::new(hasty).events(stream(3, 10)).runs(40));
    assert!(summary.skipped > 0 && summary.late > 0, "{summary:?}");
}
