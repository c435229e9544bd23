use ordered_core::clock::Clock;
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::store_suite;
use ordered_testkit::store_suite::{equals_memory, sequences};

use crate::support::connect;

/// Several, though one is the default: what goes over all of them has to be put together.
const BUCKETS: u32 = 4;

async fn redis(clock: Clock) -> RedisStore {
    let server = RedisServer::shared().await.unwrap();
    connect(server, BUCKETS).await.with_clock(clock)
}

store_suite!(redis);

#[tokio::test]
async fn redis_answers_as_memory_does() {
    let server = RedisServer::start().await.unwrap();
    let store = connect(&server, 2).await;
    let first = fastrand::u64(..u64::MAX / 2);
    println!("seeds from {first}");
    let seeds = first..first + sequences(1_000);
    equals_memory(|clock| store.clone().with_clock(clock), 2, seeds).await;
}
