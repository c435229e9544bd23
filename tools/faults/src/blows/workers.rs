use super::for_a_while;
use crate::Error;
use crate::stage::Stage;

/// Beyond its lease of three seconds.
pub(super) async fn pause(stage: &Stage<'_>, random: &mut fastrand::Rng) {
    let slot = stage.fleet.pick(random).await;
    slot.freeze(true);
    for_a_while(random, 3_500..7_000).await;
    slot.freeze(false);
}

pub(super) async fn restart(stage: &Stage<'_>, random: &mut fastrand::Rng) -> Result<(), Error> {
    let mut slot = stage.fleet.pick(random).await;
    let stopped = slot.stop().await;
    slot.start()?;
    stopped
}
