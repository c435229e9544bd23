//! When which blow falls: by how far the events have come, so that it falls while they flow, however fast the machine
//! is.

use std::time::Duration;

use futures_util::future::{try_join, try_join_all};

use crate::Error;
use crate::blows::strike;
use crate::fault::{Blow, Fault};
use crate::stage::Stage;

/// The blows that fell.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fallen {
    pub(crate) count: usize,
    pub(crate) longest: Duration,
}

impl Fallen {
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

/// All hands, which strike `blows` times together, and what happens once besides.
pub(crate) async fn all(
    fault: &Fault,
    stage: &Stage<'_>,
    blows: usize,
    mut random: fastrand::Rng,
) -> Result<Fallen, Error> {
    let hands: Vec<_> = (0..fault.hands).map(|_| random.fork()).collect();
    let (each, end) = (blows.div_ceil(fault.hands), stage.feed.end());
    let hands = hands
        .into_iter()
        .map(|random| hand(fault, stage, each, end, random));
    let growth = growth(fault, stage, end, random);
    let (hands, grown) = try_join(try_join_all(hands), growth).await?;
    Ok(hands.into_iter().fold(grown, Fallen::and))
}

/// Where the partitions become more, they do before half of the events are done.
async fn growth(
    fault: &Fault,
    stage: &Stage<'_>,
    end: u64,
    mut random: fastrand::Rng,
) -> Result<Fallen, Error> {
    let mut fallen = Fallen::default();
    if fault.grows {
        stage.tail.at_least(end * 2 / 5).await;
        fallen.add(strike(Blow::MorePartitions, stage, &mut random).await?);
    }
    Ok(fallen)
}

/// One hand: strikes `blows` times, evenly over all the events but for a little chance.
async fn hand(
    fault: &Fault,
    stage: &Stage<'_>,
    blows: usize,
    events: u64,
    mut random: fastrand::Rng,
) -> Result<Fallen, Error> {
    let mut fallen = Fallen::default();
    if fault.blows.is_empty() {
        return Ok(fallen);
    }
    for number in 0..blows {
        let share = (number as f64 + 0.3 + 0.6 * random.f64()) / (blows as f64 + 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a number of events"
        )]
        let due = (events as f64 * share) as u64;
        stage.tail.at_least(due).await;
        let blow = random.choice(fault.blows).copied().ok_or("no blow")?;
        tracing::info!(?blow, at = stage.tail.progress(), "strikes");
        let took = strike(blow, stage, &mut random)
            .await
            .map_err(|error| format!("{blow:?}: {error}"))?;
        tracing::info!(?blow, ?took, "is over");
        fallen.add(took);
    }
    Ok(fallen)
}
