use std::time::Duration;

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::support::load::Load;
use crate::support::processes::{Setting, TIMEOUT, Worker};

/// How long each server is unavailable: the subject of the test, not a way to wait for something.
const AWAY: Duration = Duration::from_secs(5);

const LOAD: Load = Load {
    keys: 200,
    events: 25,
    seed: 2,
};

#[tokio::test(flavor = "multi_thread")]
async fn redis_and_rabbitmq_may_be_away_for_a_while() {
    let (mut rabbit, mut redis) =
        tokio::try_join!(RabbitServer::start(), RedisServer::start()).unwrap();
    let setting = Setting::new("away", rabbit.url(), redis.url());
    // All of it is there before the work begins, and the work takes eight seconds at the least: no server is
    // unavailable when all is done.
    setting.produce(&LOAD).await;
    let options = ["--work-ms", "80", "--concurrency", "16"];
    let mut workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));

    more_are_handled(&setting, 750).await;
    redis.stop().await.unwrap();
    tokio::time::sleep(AWAY).await;
    redis.start_again().await.unwrap();

    more_are_handled(&setting, 250).await;
    assert!(!setting.log.in_the_middle(&LOAD).is_empty());
    rabbit.stop().await.unwrap();
    tokio::time::sleep(AWAY).await;
    rabbit.start_again().await.unwrap();

    setting.finished(&LOAD).await;
    assert!(
        workers.iter_mut().all(Worker::is_running),
        "no worker had to be started again"
    );
    for worker in workers {
        worker.stop().await;
    }
    setting.log.assert_in_order_once(&LOAD);
}

/// Waits until so many more are handled than at this moment.
async fn more_are_handled(setting: &Setting, events: usize) {
    let handled = setting.log.total();
    eventually_within(TIMEOUT, "under way", async || {
        setting.log.total() >= handled + events
    })
    .await;
}
