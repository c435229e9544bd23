//! Lanes that take few events, so that many wait behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ordered_core::worker::{WorkerBuilder, WorkerEvent};
use ordered_testkit::simulation::{App, Faults, Simulation};

use super::{keeper, stream, timed};

fn shallow(worker: WorkerBuilder) -> WorkerBuilder {
    worker.options(|options| options.policy.lane_depth = 2)
}

/// What waits too long is held, and what does not is offered again: with this much of a wait both happen. Batches of
/// the store are short, so that the next is often on its way while the answer to the last is worked on.
fn waits() -> App {
    keeper().worker(|worker| {
        let worker = shallow(worker).batch_commands(3);
        worker.hold_after(Duration::from_millis(100))
    })
}

#[test]
fn no_promise_is_broken_whatever_happens_behind_short_lanes() {
    let simulation = Simulation::new(waits).events(stream(2, 24)).runs(60);
    let summary = timed(&simulation);
    assert_eq!(summary.committed, summary.runs * 48);
}

#[test]
fn what_waits_behind_short_lanes_is_the_same_for_a_seed() {
    let simulation = Simulation::new(waits).events(stream(3, 16));
    for seed in 1..=10 {
        assert_eq!(simulation.history(seed), simulation.history(seed));
    }
}

/// How many events were held, of streams that come in order.
fn held(hold_after: Duration) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let app = move || {
        let count = Arc::clone(&counted);
        keeper().worker(move |worker| {
            let count = Arc::clone(&count);
            shallow(worker)
                .hold_after(hold_after)
                .observe(move |worker_event| {
                    if matches!(worker_event, WorkerEvent::Held { .. }) {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
        })
    };
    let simulation = Simulation::new(app).events(stream(2, 24));
    simulation.faults(Faults::none()).runs(10).assert();
    count.load(Ordering::Relaxed)
}

#[test]
fn to_wait_spares_the_store() {
    let (at_once, later) = (held(Duration::ZERO), held(Duration::from_secs(60)));
    println!("held at once {at_once}, held after a wait {later}");
    assert!(later < at_once / 2, "{later} of {at_once}");
}
