//! Holds a store equal to [`MemoryStore`], which is the protocol itself behind a lock.

mod generate;
mod shadow;
mod step;
mod verbs;

use std::fmt::Write;
use std::ops::Range;

use futures_util::{StreamExt, stream};
use ordered_core::clock::Clock;
use ordered_core::protocol::Policy;
use ordered_core::store::{Admin, Group, MemoryStore, Store};

use self::generate::Generator;
pub(super) use self::generate::START;
use self::step::{Reply, Step};
use crate::unique;

/// How long a sequence is.
const STEPS: usize = 30;
/// How many sequences run at the same time, so that a store behind a network is kept busy.
const AT_ONCE: usize = 256;

/// Runs one random sequence for each seed against the store and against the model: commands of several workers on a
/// few keys, steps of time, crashes, heartbeats, sweeps and repetitions. Both must say the same to every step.
///
/// `store` makes a store that spreads keys over `buckets` buckets and takes its time from the clock. Every sequence
/// has a group of its own, so that all may share one server.
///
/// # Panics
/// At the first difference, with the seed and the shortest sequence found that shows it.
pub async fn equals_the_model<S: Store + Admin>(
    store: impl Fn(Clock) -> S,
    buckets: u32,
    seeds: Range<u64>,
) {
    let store = &store;
    let mut sequences = stream::iter(seeds)
        .map(|seed| async move {
            let mut generator = Generator::new(seed, buckets);
            let steps = generator.steps(STEPS);
            let policy = generator.policy().clone();
            let case = Case {
                store,
                buckets,
                policy,
            };
            let difference = case.run(&steps).await?;
            Some((seed, case.shrink(steps, difference).await))
        })
        .buffer_unordered(AT_ONCE);
    while let Some(failed) = sequences.next().await {
        if let Some((seed, report)) = failed {
            panic!("seed {seed}: the store differs from the model\n{report}");
        }
    }
}

struct Case<'a, F> {
    store: &'a F,
    buckets: u32,
    policy: Policy,
}

/// Where the two parted.
struct Difference {
    at: usize,
    expected: Reply,
    actual: Result<Reply, String>,
}

impl<S: Store + Admin, F: Fn(Clock) -> S> Case<'_, F> {
    async fn run(&self, steps: &[Step]) -> Option<Difference> {
        let group = Group::new(unique("model"), self.policy.clone());
        let (clock, model_clock) = (Clock::manual(START), Clock::manual(START));
        let store = (self.store)(clock.clone());
        let model = MemoryStore::with_clock(model_clock.clone()).buckets(self.buckets);
        for (at, step) in steps.iter().enumerate() {
            let expected = step.run(&model, &model_clock, &group).await;
            let expected = expected.expect("the model never fails");
            let actual = step.run(&store, &clock, &group).await;
            let actual = actual.map_err(|error| format!("{error} ({:?})", error));
            if actual.as_ref() != Ok(&expected) {
                return Some(Difference {
                    at,
                    expected,
                    actual,
                });
            }
        }
        None
    }

    /// Leaves out what is not needed to see the difference.
    async fn shrink(&self, mut steps: Vec<Step>, mut difference: Difference) -> String {
        steps.truncate(difference.at + 1);
        let mut place = 0;
        while place < steps.len() {
            let fewer = without(&steps, place);
            match self.run(&fewer).await {
                Some(found) => {
                    steps = fewer;
                    steps.truncate(found.at + 1);
                    difference = found;
                }
                None => place += 1,
            }
        }
        let mut report = format!("{:?}\n", self.policy);
        for (number, step) in steps.iter().enumerate() {
            let _ = write!(report, "{number:4}  {step}");
        }
        let Difference {
            expected, actual, ..
        } = difference;
        let _ = write!(report, "expected {expected:?}\n     got {actual:?}");
        report
    }
}

/// The steps without one of their parts; a batch loses its commands one by one.
fn without(steps: &[Step], place: usize) -> Vec<Step> {
    let mut fewer = steps.to_vec();
    match &mut fewer[place] {
        Step::Apply(_, commands) if commands.len() > 1 => {
            commands.remove(0);
        }
        _ => {
            fewer.remove(place);
        }
    }
    fewer
}
