use super::for_a_while;
use crate::Error;
use crate::environment::Environment;

pub(super) async fn kill(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    // Another injector may have deleted the queue, which is then as young as at the beginning.
    let queues = environment.queue.names(environment.queue.partitions());
    let mut rabbit = environment
        .servers
        .rabbit_with_queues_on_disk(&queues)
        .await?;
    rabbit.kill();
    if random.bool() {
        for_a_while(random, 0..3_000).await;
    }
    Ok(rabbit.start_again().await?)
}

pub(super) async fn stop(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut rabbit = environment.servers.rabbit.lock().await;
    rabbit.stop().await?;
    for_a_while(random, 500..3_000).await;
    Ok(rabbit.start_again().await?)
}

/// From below to beyond what its clients' heartbeats allow.
pub(super) async fn pause(environment: &Environment<'_>, random: &mut fastrand::Rng) {
    let rabbit = environment.servers.rabbit.lock().await;
    rabbit.pause();
    for_a_while(random, 1_000..9_000).await;
    rabbit.resume();
}

pub(super) async fn out_of_memory(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let rabbit = environment.servers.rabbit.lock().await;
    rabbit
        .ctl(&["set_vm_memory_high_watermark", "0.0000001"])
        .await?;
    for_a_while(random, 2_000..5_000).await;
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.4"]).await?;
    Ok(())
}

pub(super) async fn close_connections(environment: &Environment<'_>) -> Result<(), Error> {
    let rabbit = environment.servers.rabbit.lock().await;
    rabbit
        .ctl(&["close_all_connections", "closed by the fault suite"])
        .await?;
    Ok(())
}

/// What was in it is gone, as its deleter wanted; a producer that keeps what it published until it sees the effect
/// publishes again.
pub(super) async fn delete_queue(environment: &Environment<'_>) -> Result<(), Error> {
    let _nobody_stops_it = environment.servers.rabbit.lock().await;
    let queues = environment.queue.names(environment.queue.partitions());
    environment.servers.delete_queues(&queues).await?;
    environment.producer.publish_again();
    Ok(())
}

/// A deployment: one worker after the other consumes twice as many partitions, and then the producer publishes into
/// them.
pub(super) async fn more_partitions(environment: &Environment<'_>) -> Result<(), Error> {
    let more = environment.queue.partitions() * 2;
    let mut is_first = true;
    for slot in environment.fleet.in_turn() {
        let mut slot = slot.lock().await;
        slot.set_partitions(more);
        if !slot.is_taken() {
            continue;
        }
        // The first one declares them, and until they are on disk nobody may kill the server.
        let rabbit = match is_first {
            true => Some(environment.servers.rabbit.lock().await),
            false => None,
        };
        let stopped = slot.stop(&environment.tail).await;
        slot.start()?;
        stopped?;
        if let Some(mut rabbit) = rabbit {
            let queues = environment.queue.names(more);
            environment
                .servers
                .are_on_disk(&mut rabbit, &queues)
                .await?;
        }
        is_first = false;
    }
    environment.queue.has_more(more);
    Ok(())
}
