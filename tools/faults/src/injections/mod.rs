//! How each fault is injected.

mod kafka;
mod network;
mod rabbit;
mod redis;
mod workers;

use std::time::Duration;

use ordered_testkit::proxy::Direction;
use tokio::time::Instant;

use crate::Error;
use crate::environment::{Environment, Slot};
use crate::fault::Injection;

/// Injects one fault, and repairs it. Returns how long it lasted.
pub(crate) async fn inject(
    injection: Injection,
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<Duration, Error> {
    let begun = Instant::now();
    match injection {
        Injection::KillWorker => environment.fleet.pick(random).await.kill_and_start()?,
        Injection::PauseWorker => workers::pause(environment, random).await,
        Injection::RestartWorker => workers::restart(environment, random).await?,
        Injection::WorkerJoins => workers::join(environment, random).await?,
        Injection::WorkerLeaves => workers::leave(environment, random).await?,
        Injection::KillRedis => redis::kill(environment, random).await?,
        Injection::StopRedis => redis::stop(environment, random).await?,
        Injection::PauseRedis => redis::pause(environment, random).await,
        Injection::RedisMemory => redis::out_of_memory(environment, random).await?,
        Injection::RedisScripts => redis::forget_scripts(environment).await?,
        Injection::RedisDisk => redis::full_disk(environment, random).await?,
        Injection::KillRabbit => rabbit::kill(environment, random).await?,
        Injection::StopRabbit => rabbit::stop(environment, random).await?,
        Injection::PauseRabbit => rabbit::pause(environment, random).await,
        Injection::RabbitMemory => rabbit::out_of_memory(environment, random).await?,
        Injection::RabbitConnections => rabbit::close_connections(environment).await?,
        Injection::DeleteQueue => rabbit::delete_queue(environment).await?,
        Injection::MorePartitions => rabbit::more_partitions(environment).await?,
        Injection::KillKafka => kafka::kill(environment, random).await?,
        Injection::StopKafka => kafka::stop(environment, random).await?,
        Injection::PauseKafka => kafka::pause(environment, random).await?,
        Injection::CutRedis => network::cut(environment, Slot::to_redis, random).await,
        Injection::CutRabbit => network::cut(environment, Slot::to_rabbit, random).await,
        Injection::DeafRedis => {
            network::blackhole(environment, Slot::to_redis, Direction::ToServer, random).await;
        }
        Injection::MuteRedis => {
            network::blackhole(environment, Slot::to_redis, Direction::ToClient, random).await;
        }
        Injection::DeafRabbit => {
            network::blackhole(environment, Slot::to_rabbit, Direction::ToServer, random).await;
        }
        Injection::MuteRabbit => {
            network::blackhole(environment, Slot::to_rabbit, Direction::ToClient, random).await;
        }
        Injection::SlowRedis => network::slow(environment, Slot::to_redis, random).await,
        Injection::SlowRabbit => network::slow(environment, Slot::to_rabbit, random).await,
    }
    Ok(begun.elapsed())
}

/// A time between these, in milliseconds. How long something is unavailable is the subject here, not a way to wait for
/// it.
async fn for_a_while(random: &mut fastrand::Rng, milliseconds: std::ops::Range<u64>) {
    tokio::time::sleep(Duration::from_millis(random.u64(milliseconds))).await;
}
