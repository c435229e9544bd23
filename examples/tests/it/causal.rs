//! Comments and their replies, over two queues.

use std::time::Duration;

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::load::Load;
use crate::orders::{PATIENCE, Setting};

const LOAD: Load = Load {
    keys: 12,
    events: 40,
    seed: 0,
};

/// Three workers, each on two queues, shuffled and with repetitions. Two of the three are killed.
#[tokio::test(flavor = "multi_thread")]
async fn no_comment_runs_before_what_it_answers_though_workers_are_killed() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::of("causal", "causal", rabbit.url(), redis.url());
    let also = format!("{}-also", setting.queue);
    let count = |number: &dyn std::fmt::Display| number.to_string();
    let arguments = [
        "--keys",
        &count(&LOAD.keys),
        "--events",
        &count(&LOAD.events),
        "--also",
        &also,
    ];
    let arguments = arguments.map(ToOwned::to_owned);
    setting.begin_to_produce_with(&arguments).finished().await;
    let options = ["--work-ms", "5", "--lease-ms", "2000", "--also", &also];
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));
    let mut workers = Vec::from(workers);
    for part in [4, 2] {
        let some = LOAD.total() / part;
        let is_there = async || setting.log.total() > some;
        eventually_within(PATIENCE, "in the middle", is_there).await;
        workers.remove(0).kill();
    }
    setting.finished(&LOAD).await;
    tokio::time::timeout(Duration::from_secs(30), workers.remove(0).stop())
        .await
        .expect("it stops");
    let killed = |worker: &str| worker.starts_with("w1") || worker.starts_with("w2");
    setting.log.assert_repeated_only_by(killed, &LOAD);
}
