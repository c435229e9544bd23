use super::for_a_while;
use crate::Error;
use crate::stage::Stage;

pub(super) async fn kill(stage: &Stage<'_>, random: &mut fastrand::Rng) -> Result<(), Error> {
    // Another hand may have deleted the queue, which is then as young as at the beginning.
    let mut rabbit = stage
        .servers
        .queue_can_be_struck(&stage.names.queue)
        .await?;
    rabbit.kill();
    if random.bool() {
        for_a_while(random, 0..3_000).await;
    }
    Ok(rabbit.start_again().await?)
}

pub(super) async fn stop(stage: &Stage<'_>, random: &mut fastrand::Rng) -> Result<(), Error> {
    let mut rabbit = stage.servers.rabbit.lock().await;
    rabbit.stop().await?;
    for_a_while(random, 500..3_000).await;
    Ok(rabbit.start_again().await?)
}

/// From below to beyond what its clients' heartbeats allow.
pub(super) async fn pause(stage: &Stage<'_>, random: &mut fastrand::Rng) {
    let rabbit = stage.servers.rabbit.lock().await;
    rabbit.pause();
    for_a_while(random, 1_000..9_000).await;
    rabbit.resume();
}

pub(super) async fn out_of_memory(
    stage: &Stage<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let rabbit = stage.servers.rabbit.lock().await;
    rabbit
        .ctl(&["set_vm_memory_high_watermark", "0.0000001"])
        .await?;
    for_a_while(random, 2_000..5_000).await;
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.4"]).await?;
    Ok(())
}

pub(super) async fn close_connections(stage: &Stage<'_>) -> Result<(), Error> {
    let rabbit = stage.servers.rabbit.lock().await;
    rabbit
        .ctl(&["close_all_connections", "struck by the fault suite"])
        .await?;
    Ok(())
}

/// What was in it is gone, as its deleter wanted; a producer that keeps what it published until it sees the effect
/// publishes again.
pub(super) async fn delete_queue(stage: &Stage<'_>) -> Result<(), Error> {
    let _nobody_stops_it = stage.servers.rabbit.lock().await;
    stage.servers.delete_queue(&stage.names.queue).await?;
    stage.feed.publish_again();
    Ok(())
}
