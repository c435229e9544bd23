use ordered_core::clock::Clock;
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::store_suite;

async fn redis(clock: Clock) -> RedisStore {
    let server = RedisServer::shared().await.unwrap();
    // Several, though one is the default: what goes over all of them has to be put together.
    let store = RedisStore::builder(server.url()).buckets(4).connect();
    store.await.unwrap().with_clock(clock)
}

store_suite!(redis);
