use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::for_a_while;
use crate::Error;
use crate::environment::{Environment, redis_says};

pub(super) async fn kill(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut redis = environment.servers.redis.lock().await;
    redis.kill();
    // Half of the time it is back at once.
    if random.bool() {
        for_a_while(random, 0..5_000).await;
    }
    Ok(redis.start_again().await?)
}

pub(super) async fn stop(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let mut redis = environment.servers.redis.lock().await;
    redis.stop().await?;
    for_a_while(random, 1_000..6_000).await;
    Ok(redis.start_again().await?)
}

pub(super) async fn pause(environment: &Environment<'_>, random: &mut fastrand::Rng) {
    let redis = environment.servers.redis.lock().await;
    redis.pause();
    for_a_while(random, 500..6_000).await;
    redis.resume();
}

pub(super) async fn out_of_memory(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let redis = environment.servers.redis.lock().await;
    expect_ok(redis.port(), "CONFIG SET maxmemory 500kb").await?;
    for_a_while(random, 1_000..5_000).await;
    expect_ok(redis.port(), "CONFIG SET maxmemory 0").await
}

pub(super) async fn forget_scripts(environment: &Environment<'_>) -> Result<(), Error> {
    let redis = environment.servers.redis.lock().await;
    expect_ok(redis.port(), "SCRIPT FLUSH").await
}

/// With `appendfsync always` Redis exits when it cannot write.
pub(super) async fn full_disk(
    environment: &Environment<'_>,
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    const TIMEOUT: Duration = Duration::from_secs(20);
    let disk = environment.disk.as_ref().ok_or("there is no small disk")?;
    let disk = disk.lock().await;
    let mut redis = environment.servers.redis.lock().await;
    disk.fill()?;
    let filled = Instant::now();
    while redis_says(redis.port(), "PING").await.is_ok() {
        if filled.elapsed() > TIMEOUT {
            return Err("Redis goes on without a disk".into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    for_a_while(random, 0..3_000).await;
    disk.free()?;
    Ok(redis.start_again().await?)
}

async fn expect_ok(port: u16, command: &str) -> Result<(), Error> {
    let answer = redis_says(port, command).await?;
    if answer.starts_with("+OK") {
        Ok(())
    } else {
        Err(format!("Redis answered {answer:?} to {command:?}").into())
    }
}
