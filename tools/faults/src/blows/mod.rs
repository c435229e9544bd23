//! What is done to the stage.

mod kafka;
mod network;
mod rabbit;
mod redis;
mod workers;

use std::time::Duration;

use ordered_testkit::proxy::Direction;
use tokio::time::Instant;

use crate::Error;
use crate::fault::Blow;
use crate::stage::{Slot, Stage};

/// Strikes once, and sees to it that what was struck is well again; says how long it was not.
pub(crate) async fn strike(
    blow: Blow,
    stage: &Stage<'_>,
    random: &mut fastrand::Rng,
) -> Result<Duration, Error> {
    let begun = Instant::now();
    match blow {
        Blow::KillWorker => stage.fleet.pick(random).await.kill_and_start()?,
        Blow::PauseWorker => workers::pause(stage, random).await,
        Blow::RestartWorker => workers::restart(stage, random).await?,
        Blow::WorkerJoins => workers::join(stage, random).await?,
        Blow::WorkerLeaves => workers::leave(stage, random).await?,
        Blow::KillRedis => redis::kill(stage, random).await?,
        Blow::StopRedis => redis::stop(stage, random).await?,
        Blow::PauseRedis => redis::pause(stage, random).await,
        Blow::RedisMemory => redis::out_of_memory(stage, random).await?,
        Blow::RedisScripts => redis::forget_scripts(stage).await?,
        Blow::RedisDisk => redis::full_disk(stage, random).await?,
        Blow::KillRabbit => rabbit::kill(stage, random).await?,
        Blow::StopRabbit => rabbit::stop(stage, random).await?,
        Blow::PauseRabbit => rabbit::pause(stage, random).await,
        Blow::RabbitMemory => rabbit::out_of_memory(stage, random).await?,
        Blow::RabbitConnections => rabbit::close_connections(stage).await?,
        Blow::DeleteQueue => rabbit::delete_queue(stage).await?,
        Blow::MorePartitions => rabbit::more_partitions(stage).await?,
        Blow::KillKafka => kafka::kill(stage, random).await?,
        Blow::StopKafka => kafka::stop(stage, random).await?,
        Blow::PauseKafka => kafka::pause(stage, random).await?,
        Blow::CutRedis => network::cut(stage, Slot::to_redis, random).await,
        Blow::CutRabbit => network::cut(stage, Slot::to_rabbit, random).await,
        Blow::DeafRedis => {
            network::blackhole(stage, Slot::to_redis, Direction::ToServer, random).await;
        }
        Blow::MuteRedis => {
            network::blackhole(stage, Slot::to_redis, Direction::ToClient, random).await;
        }
        Blow::DeafRabbit => {
            network::blackhole(stage, Slot::to_rabbit, Direction::ToServer, random).await;
        }
        Blow::MuteRabbit => {
            network::blackhole(stage, Slot::to_rabbit, Direction::ToClient, random).await;
        }
        Blow::SlowRedis => network::slow(stage, Slot::to_redis, random).await,
        Blow::SlowRabbit => network::slow(stage, Slot::to_rabbit, random).await,
    }
    Ok(begun.elapsed())
}

/// A time between these, in milliseconds. How long something is unavailable is the subject here, not a way to wait for
/// it.
async fn for_a_while(random: &mut fastrand::Rng, milliseconds: std::ops::Range<u64>) {
    tokio::time::sleep(Duration::from_millis(random.u64(milliseconds))).await;
}
