//! Holds a store equal to [`MemoryStore`] on random sequences.

mod generate;
mod run;
mod step;

use std::fmt::Write;
use std::ops::Range;

use futures_util::{StreamExt, stream};
use ordered_core::clock::Clock;
use ordered_core::store::{Inspect, MemoryStore};

use self::generate::Generator;
use self::run::{Difference, Groups, Run};
use self::step::Step;
use super::fixture::START;

/// How long a sequence is.
const STEPS: usize = 40;
/// How many sequences run at the same time, so that a store behind a network is kept busy.
const AT_ONCE: usize = 64;

/// How many random sequences to run: the number in the environment variable `ORDERED_SEQUENCES`, or else this one.
#[must_use]
pub fn sequences(default: u64) -> u64 {
    let asked = std::env::var("ORDERED_SEQUENCES").ok();
    asked
        .and_then(|asked| asked.parse().ok())
        .unwrap_or(default)
}

/// Runs one random sequence for each seed against the store and against the store in memory: requests of several
/// workers for a few keys of two groups, steps of time, heartbeats and sweeps. Both must answer the same to every step,
/// and know the same in the end.
///
/// `store` makes a store that spreads keys over `buckets` buckets and takes its time from the clock. Every sequence
/// has groups of its own, so that all may share one server. The time that ids are remembered for does not pass.
///
/// # Panics
/// At the first difference, with the seed and the shortest sequence found that shows it.
pub async fn equals_memory<S: Inspect>(
    store: impl Fn(Clock) -> S,
    buckets: u32,
    seeds: Range<u64>,
) {
    let store = &store;
    let mut sequences = stream::iter(seeds)
        .map(|seed| async move {
            let mut generator = Generator::new(seed);
            let case = Case {
                store,
                buckets,
                groups: generator.groups(),
            };
            let steps = generator.steps(STEPS);
            let difference = case.run(&steps).await?;
            Some((seed, case.shrink(steps, difference).await))
        })
        .buffer_unordered(AT_ONCE);
    while let Some(failed) = sequences.next().await {
        if let Some((seed, report)) = failed {
            panic!("seed {seed}: the store differs from the store in memory\n{report}");
        }
    }
}

struct Case<'a, F> {
    store: &'a F,
    buckets: u32,
    groups: Groups,
}

impl<S: Inspect, F: Fn(Clock) -> S> Case<'_, F> {
    async fn run(&self, steps: &[Step]) -> Option<Difference> {
        let clock = Clock::manual(START);
        let store = (self.store)(clock.clone());
        let memory = MemoryStore::with_clock(clock.clone()).buckets(self.buckets);
        let mut run = Run::new(&memory, &store, clock, &self.groups).await;
        for (at, step) in steps.iter().enumerate() {
            if let Some((expected, actual)) = run.step(step).await {
                return Some(Difference {
                    at,
                    expected,
                    actual,
                });
            }
        }
        None
    }

    /// Leaves out what is not needed to see the difference: whole steps, then parts of them.
    async fn shrink(&self, mut steps: Vec<Step>, mut difference: Difference) -> String {
        steps.truncate(difference.at + 1);
        let mut place = 0;
        while place < steps.len() {
            let mut shorter = vec![without(&steps, place)];
            shorter.extend(steps[place].simpler().into_iter().map(|simpler| {
                let mut steps = steps.clone();
                steps[place] = simpler;
                steps
            }));
            match self.first_that_differs(shorter).await {
                Some((found, shorter)) => {
                    steps = shorter;
                    steps.truncate(found.at + 1);
                    difference = found;
                }
                None => place += 1,
            }
        }
        self.report(&steps, difference)
    }

    async fn first_that_differs(
        &self,
        sequences: Vec<Vec<Step>>,
    ) -> Option<(Difference, Vec<Step>)> {
        for steps in sequences {
            if let Some(found) = self.run(&steps).await {
                return Some((found, steps));
            }
        }
        None
    }

    fn report(&self, steps: &[Step], difference: Difference) -> String {
        let mut report = String::new();
        for (place, policy) in self.groups.iter().enumerate() {
            let (key, group) = (policy.key_quota, policy.group_quota);
            let _ = writeln!(report, "group {place}: a key {key:?}, the group {group:?}");
        }
        for (number, step) in steps.iter().enumerate() {
            let _ = writeln!(report, "{number:4}  {step:?}");
        }
        let Difference {
            expected, actual, ..
        } = difference;
        let _ = write!(report, "expected {expected}\n     got {actual}");
        report
    }
}

fn without(steps: &[Step], place: usize) -> Vec<Step> {
    let mut fewer = steps.to_vec();
    fewer.remove(place);
    fewer
}
