use super::for_a_while;
use crate::Error;
use crate::environment::Environment;

/// Beyond its lease of three seconds.
pub(super) async fn pause(environment: &Environment<'_>, random: &mut fastrand::Rng) {
    let slot = environment.fleet.pick(random).await;
    slot.freeze(true);
    for_a_while(random, 3_500..7_000).await;
    slot.freeze(false);
}

pub(super) async fn join(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let a_while = for_a_while(random, 2_000..6_000);
    environment.fleet.join(&environment.tail, a_while).await
}

/// One of them is gone for a while.
pub(super) async fn leave(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut slot = environment.fleet.pick(random).await;
    let stopped = slot.stop(&environment.tail).await;
    for_a_while(random, 1_000..5_000).await;
    slot.start()?;
    stopped
}

pub(super) async fn restart(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut slot = environment.fleet.pick(random).await;
    let stopped = slot.stop(&environment.tail).await;
    slot.start()?;
    stopped
}
