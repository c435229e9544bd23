//! Applications whose settings the seed decides, so that settings meet that no other test puts together.

use std::time::Duration;

use fastrand::Rng;
use ordered_core::handler::{HandlerOptions, OnExhausted, OnPassed};
use ordered_core::protocol::GapPolicy;
use ordered_core::worker::WorkerBuilder;
use ordered_testkit::simulation::{App, Faults, Simulation};

use super::{keeper, stream, timed};

fn drawn(seed: u64) -> App {
    keeper().worker(move |worker| {
        let mut random = Rng::with_seed(seed);
        let worker = draw_settings(worker, &mut random);
        worker.options(move |options| draw_options(options, &mut random))
    })
}

fn draw_settings(worker: WorkerBuilder, random: &mut Rng) -> WorkerBuilder {
    worker
        .concurrency(random.usize(1..8))
        .max_lanes(random.usize(1..8))
        .read_ahead(random.usize(4..64))
        .batch_commands(*pick(random, &[1, 2, 5, 1_024]))
        .sweep_limit(random.usize(1..8))
        .hold_after(Duration::from_millis(*pick(random, &[0, 100, 1_000])))
}

fn draw_options(options: &mut HandlerOptions, random: &mut Rng) {
    options.set_batch(random.u32(1..6));
    options.set_commit_window(*pick(random, &[0, 0, 1, 5]));
    options.lane_backoff = Duration::from_millis(*pick(random, &[0, 250, 2_000]));
    options.on_exhausted = *pick(random, &[OnExhausted::Halt, OnExhausted::DeadLetter]);
    options.on_late = *pick(random, &[OnPassed::DeadLetter, OnPassed::Drop]);
    let policy = &mut options.policy;
    let deep_enough = options.batch.max(options.commit_window + 1);
    policy.lane_depth = deep_enough + *pick(random, &[0, 1, 10]);
    policy.next_events = random.u32(1..6);
    policy.max_attempts = *pick(random, &[Some(2), Some(5), None]);
    policy.max_crashes = *pick(random, &[2, 5, 1_000_000]);
    policy.key_quota.events = *pick(random, &[3, 10, 10_000]);
    policy.on_gap = match random.u8(0..4) {
        0 => GapPolicy::Skip {
            after: Duration::from_secs(2),
        },
        1 => GapPolicy::Halt {
            after: Duration::from_secs(5),
        },
        _ => GapPolicy::Wait,
    };
}

fn pick<'a, T>(random: &mut Rng, from: &'a [T]) -> &'a T {
    &from[random.usize(0..from.len())]
}

#[test]
fn no_promise_is_broken_whatever_happens_with_settings_from_the_seed() {
    let mut faults = Faults::all();
    faults.failures = 10;
    faults.stragglers = 3;
    faults.slow_handler /= 4;
    let simulation = Simulation::with_seed(drawn).events(stream(5, 12));
    let summary = timed(&simulation.faults(faults).runs(100));
    let is_long = summary.runs >= 100;
    let is_varied = summary.dead_lettered > 0 && summary.skipped > 0;
    assert!(is_varied || !is_long, "{summary:?}");
}
