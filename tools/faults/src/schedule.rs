//! When which blow falls: by how far the events have come, so that it falls while they flow, however fast the machine is.

use std::time::Duration;

use crate::Error;
use crate::blows::strike;
use crate::fault::Fault;
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
}

/// One hand: strikes `blows` times, evenly over all the events but for a little chance.
pub(crate) async fn hand(
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
