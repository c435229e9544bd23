//! Applications that do not handle everything: what fails for good is put aside, and what does not come is skipped.

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
fn what_is_put_aside_breaks_no_order_and_is_not_lost() {
    let simulation = Simulation::new(impatient).events(stream(3, 10));
    let summary = timed(&simulation.faults(failing()).runs(40));
    assert!(summary.put_aside > summary.runs, "{summary:?}");
    assert!(summary.committed + summary.put_aside >= summary.runs * 30);
}

#[test]
fn what_is_skipped_breaks_no_order_and_comes_late() {
    let summary = timed(&Simulation::new(hasty).events(stream(3, 10)).runs(40));
    assert!(summary.skipped > 0 && summary.late > 0, "{summary:?}");
}
