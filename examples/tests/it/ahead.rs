//! Hot keys, whose events are handled together or ahead of their commits, while a worker is killed.

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::support::load::Load;
use crate::support::processes::{Setting, TIMEOUT};

const LOAD: Load = Load {
    keys: 3,
    events: 1_500,
    seed: 1,
};

/// Kills a worker in the middle, and lets another go on; `ahead` is how many events of a key it may have handled and
/// not committed.
async fn a_worker_may_be_killed(name: &str, options: &[&str], ahead: u64) {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::new(name, rabbit.url(), redis.url());
    setting.produce(&LOAD).await;
    let leases = ["--lease-ms", "2000", "--sweep-ms", "250"];
    let options: Vec<&str> = options.iter().chain(&leases).copied().collect();
    let mut dying = setting.work("w1", &options);
    eventually_within(TIMEOUT, "in the middle", async || {
        setting.log.total() > LOAD.total() / 4
    })
    .await;
    dying.kill();
    let left = setting.log.in_the_middle(&LOAD);
    assert!(
        !left.is_empty(),
        "it was too fast to be killed in the middle"
    );
    let other = setting.work("w2", &options);
    setting.finished(&LOAD).await;
    other.stop().await;
    setting.log.assert_repeated_only_from("w1", ahead, &LOAD);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_takes_batches_may_be_killed() {
    a_worker_may_be_killed("batches", &["--batch", "--work-ms", "50"], 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_runs_ahead_of_its_commits_may_be_killed() {
    let options = ["--commit-window", "20", "--work-ms", "2"];
    a_worker_may_be_killed("window", &options, 21).await;
}
