//! One script call after the other, each waiting for the one before: what the strict order of a single key comes to
//! where nothing but Redis takes time.

use redis::Script;

use super::SubjectContext;
use crate::Failure;

pub(super) async fn run(context: &SubjectContext) -> Result<(), Failure> {
    let client = redis::Client::open(context.job.redis.as_str())?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    let script =
        Script::new("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return redis.call('TIME')");
    script.prepare_invoke().load_async(&mut redis).await?;
    for seq in 0..context.job.events {
        context.meter.received(1);
        let (): () = script
            .key(&context.job.group)
            .arg("order-1")
            .arg(seq)
            .invoke_async(&mut redis)
            .await?;
        context.meter.round_trip();
        context.meter.done(1);
    }
    context.stopped().await;
    Ok(())
}
