use super::for_a_while;
use crate::Error;
use crate::environment::Environment;

pub(super) async fn kill(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut kafka = environment.servers.kafka().await?.lock().await;
    kafka.kill();
    if random.bool() {
        for_a_while(random, 0..3_000).await;
    }
    Ok(kafka.start_again().await?)
}

pub(super) async fn stop(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut kafka = environment.servers.kafka().await?.lock().await;
    kafka.stop().await?;
    for_a_while(random, 500..3_000).await;
    Ok(kafka.start_again().await?)
}

/// From below to beyond what members of a group are given.
pub(super) async fn pause(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let kafka = environment.servers.kafka().await?.lock().await;
    kafka.pause();
    for_a_while(random, 1_000..9_000).await;
    kafka.resume();
    Ok(())
}
