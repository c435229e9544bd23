use std::time::Duration;

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::orders::Setting;

/// How long each server is away: the subject of the test, not a way to wait for something.
const AWAY: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn redis_and_rabbitmq_may_be_away_for_a_while() {
    let (mut rabbit, mut redis) =
        tokio::try_join!(RabbitServer::start(), RedisServer::start()).unwrap();
    let setting = Setting::new("away", rabbit.url(), redis.url());
    let options = ["--work-ms", "20", "--concurrency", "16"];
    let mut workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));
    setting.produce(&[
        "--keys",
        "200",
        "--events",
        "100",
        "--shuffle",
        "500",
        "--duplicates",
        "10",
        "--seed",
        "2",
    ]);

    at_least(&setting, 3_000).await;
    redis.stop().await.unwrap();
    tokio::time::sleep(AWAY).await;
    redis.start_again().await.unwrap();

    let handled = setting.handled().len();
    at_least(&setting, handled + 2_000).await;
    rabbit.stop().await.unwrap();
    tokio::time::sleep(AWAY).await;
    rabbit.start_again().await.unwrap();

    setting.finished(200, 100).await;
    assert!(
        workers.iter_mut().all(crate::orders::Worker::is_running),
        "no worker had to be started again"
    );
    for worker in workers {
        worker.stop().await;
    }
    setting.assert_in_order_once(200, 100);
}

async fn at_least(setting: &Setting, events: usize) {
    eventually_within(Duration::from_secs(120), "under way", async || {
        setting.handled().len() >= events
    })
    .await;
}
