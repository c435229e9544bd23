//! Snapshots, of which the newest wins.

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::load::Load;
use crate::orders::{PATIENCE, Setting};

const LOAD: Load = Load {
    keys: 20,
    events: 150,
    seed: 0,
};

/// Three workers share a queue, and two of them are killed.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_snapshot_wins_though_workers_are_killed() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::of("snapshots", "snapshots", rabbit.url(), redis.url());
    let count = |number: &dyn std::fmt::Display| number.to_string();
    let arguments = [
        "--keys",
        &count(&LOAD.keys),
        "--events",
        &count(&LOAD.events),
    ];
    let arguments = arguments.map(ToOwned::to_owned);
    setting.begin_to_produce_with(&arguments).finished().await;
    let options = ["--work-ms", "20", "--lease-ms", "2000"];
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));
    let mut workers = Vec::from(workers);
    for some in [10, 40] {
        // Of what waits together only the newest is handled, so that all may be done sooner.
        let is_there = async || setting.log.total() > some || setting.log.is_finished(&LOAD);
        eventually_within(PATIENCE, "in the middle", is_there).await;
        workers.remove(0).kill();
    }
    setting.finished(&LOAD).await;
    workers.remove(0).stop().await;
    setting.log.assert_newer_and_newer(&LOAD);
}
