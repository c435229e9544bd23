//! When which fault is injected: by how far the events have come, so that it happens while they flow, however fast the
//! machine is.

use std::time::Duration;

use futures_util::future::{try_join, try_join_all};

use crate::Error;
use crate::environment::Environment;
use crate::fault::{Fault, Injection};
use crate::injections::inject;

/// The injections that were made.
#[derive(Debug, Default, Clone)]
pub(crate) struct Injected {
    pub(crate) count: usize,
    pub(crate) longest: Duration,
}

impl Injected {
    pub(crate) fn add(&mut self, took: Duration) {
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            longest: self.longest.max(other.longest),
        }
    }
}

/// All injectors, which inject `injections` faults together, and what happens once besides.
pub(crate) async fn all(
    fault: &Fault,
    environment: &Environment<'_>,
    injections: usize,
    mut random: fastrand::Rng,
) -> Result<Injected, Error> {
    let injectors: Vec<_> = (0..fault.injectors).map(|_| random.fork()).collect();
    let (each, end) = (
        injections.div_ceil(fault.injectors),
        environment.producer.end(),
    );
    let injectors = injectors
        .into_iter()
        .map(|random| injector(fault, environment, each, end, random));
    let growth = growth(fault, environment, end, random);
    let (injectors, grown) = try_join(try_join_all(injectors), growth).await?;
    Ok(injectors.into_iter().fold(grown, Injected::and))
}

/// Where the partitions become more, they do before half of the events are done.
async fn growth(
    fault: &Fault,
    environment: &Environment<'_>,
    end: u64,
    mut random: fastrand::Rng,
) -> Result<Injected, Error> {
    let mut injected = Injected::default();
    if fault.grows {
        environment.tail.at_least(end * 2 / 5).await;
        injected.add(inject(Injection::MorePartitions, environment, &mut random).await?);
    }
    Ok(injected)
}

/// One injector: it injects `injections` faults, evenly over all the events but for a little chance.
async fn injector(
    fault: &Fault,
    environment: &Environment<'_>,
    injections: usize,
    events: u64,
    mut random: fastrand::Rng,
) -> Result<Injected, Error> {
    let mut injected = Injected::default();
    if fault.injections.is_empty() {
        return Ok(injected);
    }
    // How far the events were when the last injection was over: some get done before the next one, so that a stall has
    // at the most one injection of each injector as its cause.
    let mut over = 0;
    for number in 0..injections {
        let share = (number as f64 + 0.3 + 0.6 * random.f64()) / (injections as f64 + 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a number of events"
        )]
        let due = (events as f64 * share) as u64;
        let due = due.max(over + 1).min(events);
        environment.tail.at_least(due).await;
        let injection = random
            .choice(fault.injections)
            .copied()
            .ok_or("no injection")?;
        tracing::info!(?injection, at = environment.tail.progress(), "injects");
        let took = inject(injection, environment, &mut random)
            .await
            .map_err(|error| format!("{injection:?}: {error}"))?;
        tracing::info!(?injection, ?took, "is over");
        injected.add(took);
        environment.tail.catch_up()?;
        over = environment.tail.progress();
    }
    Ok(injected)
}
