//! What is killed, and when: by how far the credits have come, so that it happens while money is under way.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::MoneyEnvironment;
use super::participants::Role;
use crate::Error;
use crate::environment::redis_says;
use crate::schedule::Injected;

#[derive(Debug, Clone, Copy)]
enum MoneyInjection {
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
    environment: &MoneyEnvironment<'_>,
    kills: usize,
    mut random: fastrand::Rng,
) -> Result<Injected, Error> {
    let mut injections = vec![
        MoneyInjection::Postgres,
        MoneyInjection::Rabbit,
        MoneyInjection::Redis,
    ];
    for _ in 0..kills {
        injections.extend([
            MoneyInjection::Writer,
            MoneyInjection::Relay,
            MoneyInjection::Worker,
        ]);
    }
    random.shuffle(&mut injections);
    injections.insert(injections.len() / 2, MoneyInjection::Flush);
    let steps = i64::try_from(injections.len())? + 2;
    let mut injected = Injected::default();
    for (step, injection) in (1..).zip(injections) {
        let due = environment.transfers * step / steps;
        while environment
            .bank
            .progress()
            .await
            .unwrap_or_default()
            .applied
            < due
        {
            sleep(Duration::from_millis(10)).await;
        }
        tracing::info!(?injection, due, "injects");
        let begun = Instant::now();
        inject(environment, injection, &mut random)
            .await
            .map_err(|error| format!("{injection:?}: {error}"))?;
        injected.add(begun.elapsed());
    }
    Ok(injected)
}

async fn inject(
    environment: &MoneyEnvironment<'_>,
    injection: MoneyInjection,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut kill = async |is_of: fn(&Role) -> bool| {
        let killed = environment
            .participants
            .lock()
            .await
            .kill_one(is_of, random)?;
        killed
            .then_some(())
            .ok_or_else(|| Error::from("there was none to be killed"))
    };
    match injection {
        MoneyInjection::Writer => kill(|role| matches!(role, Role::Writer { .. })).await,
        MoneyInjection::Relay => kill(|role| *role == Role::Relay).await,
        MoneyInjection::Worker => kill(|role| *role == Role::Worker).await,
        MoneyInjection::Postgres => Ok(environment.postgres.lock().await.restart().await?),
        MoneyInjection::Rabbit => {
            let queue = std::slice::from_ref(&environment.bank.group);
            let mut rabbit = environment
                .servers
                .rabbit_with_queues_on_disk(queue)
                .await?;
            rabbit.kill();
            Ok(rabbit.start_again().await?)
        }
        MoneyInjection::Redis => {
            let mut redis = environment.servers.redis.lock().await;
            redis.kill();
            Ok(redis.start_again().await?)
        }
        MoneyInjection::Flush => {
            let redis = environment.servers.redis.lock().await;
            let answer = redis_says(redis.port(), "FLUSHALL").await?;
            if answer != "+OK\r\n" {
                return Err(format!("Redis answered {answer:?}").into());
            }
            // Once, as an operator does: of what Redis held last of a key nothing later shows that it is missing. From
            // here on nothing may get lost.
            let keys = environment.bank.request_missing_events().await?;
            tracing::info!(keys, "asked for what Redis may have held");
            Ok(())
        }
    }
}
