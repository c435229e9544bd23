//! One script call after the other, each waiting for the one before: what the strict order of a single key comes to
//! where nothing but Redis takes time.

use redis::Script;

use super::Arena;
use crate::Failure;

pub(super) async fn run(arena: &Arena) -> Result<(), Failure> {
    let client = redis::Client::open(arena.job.redis.as_str())?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    let script =
        Script::new("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return redis.call('TIME')");
    script.prepare_invoke().load_async(&mut redis).await?;
    for seq in 0..arena.job.events {
        arena.meter.received(1);
        let (): () = script
            .key(&arena.job.group)
            .arg("order-1")
            .arg(seq)
            .invoke_async(&mut redis)
            .await?;
        arena.meter.round_trip();
        arena.meter.done(1);
    }
    arena.stopped().await;
    Ok(())
}
