//! What is struck, and when: by how far the credits have come, so that it falls while money is under way.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::World;
use super::parts::Role;
use crate::Error;
use crate::schedule::Fallen;
use crate::stage::redis_says;

#[derive(Debug, Clone, Copy)]
enum Strike {
    Writer,
    Relay,
    Worker,
    Postgres,
    Rabbit,
    Redis,
    /// Redis loses everything.
    Flush,
}

/// So many kills of each kind of process, one of each server, and one flush in the middle.
pub(super) async fn all(
    world: &World<'_>,
    kills: usize,
    mut random: fastrand::Rng,
) -> Result<Fallen, Error> {
    let mut strikes = vec![Strike::Postgres, Strike::Rabbit, Strike::Redis];
    for _ in 0..kills {
        strikes.extend([Strike::Writer, Strike::Relay, Strike::Worker]);
    }
    random.shuffle(&mut strikes);
    strikes.insert(strikes.len() / 2, Strike::Flush);
    let steps = i64::try_from(strikes.len())? + 2;
    let mut fallen = Fallen::default();
    for (step, strike) in (1..).zip(strikes) {
        let due = world.transfers * step / steps;
        while world.bank.progress().await.unwrap_or_default().applied < due {
            sleep(Duration::from_millis(10)).await;
        }
        tracing::info!(?strike, due, "strikes");
        let begun = Instant::now();
        fall(world, strike, &mut random)
            .await
            .map_err(|error| format!("{strike:?}: {error}"))?;
        fallen.add(begun.elapsed());
    }
    Ok(fallen)
}

async fn fall(world: &World<'_>, strike: Strike, random: &mut fastrand::Rng) -> Result<(), Error> {
    let mut kill = async |is_of: fn(&Role) -> bool| {
        let killed = world.parts.lock().await.kill_one(is_of, random)?;
        killed
            .then_some(())
            .ok_or_else(|| Error::from("there was none to be killed"))
    };
    match strike {
        Strike::Writer => kill(|role| matches!(role, Role::Writer { .. })).await,
        Strike::Relay => kill(|role| *role == Role::Relay).await,
        Strike::Worker => kill(|role| *role == Role::Worker).await,
        Strike::Postgres => Ok(world.postgres.lock().await.restart().await?),
        Strike::Rabbit => {
            let queue = std::slice::from_ref(&world.bank.group);
            let mut rabbit = world.servers.queues_can_be_struck(queue).await?;
            rabbit.kill();
            Ok(rabbit.start_again().await?)
        }
        Strike::Redis => {
            let mut redis = world.servers.redis.lock().await;
            redis.kill();
            Ok(redis.start_again().await?)
        }
        Strike::Flush => {
            let redis = world.servers.redis.lock().await;
            let answer = redis_says(redis.port(), "FLUSHALL").await?;
            if answer != "+OK\r\n" {
                return Err(format!("Redis answered {answer:?}").into());
            }
            // Once, as an operator does: of what Redis held last of a key nothing later shows that it is missing. From
            // here on nothing may get lost.
            let keys = world.bank.ask_for_the_rest().await?;
            tracing::info!(keys, "asked for what Redis may have held");
            Ok(())
        }
    }
}
