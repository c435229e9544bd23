use ordered_core::clock::Clock;
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::store_suite;

async fn redis(clock: Clock) -> RedisStore {
    let server = RedisServer::shared().await.unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    store.with_clock(clock)
}

store_suite!(redis);
