//! RabbitMQ with partitions of a queue.

use std::time::Duration;

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::support::load::Load;
use crate::support::processes::{Setting, TIMEOUT};

const LOAD: Load = Load {
    keys: 100,
    events: 40,
    seed: 7,
};
const OPTIONS: [&str; 8] = [
    "--work-ms",
    "10",
    "--concurrency",
    "8",
    "--lease-ms",
    "2000",
    "--sweep-ms",
    "100",
];

/// The address of the same server with so many partitions.
fn partitioned(rabbit: &RabbitServer, partitions: u16) -> String {
    format!("{}?partitions={partitions}&key=order_id", rabbit.url())
}

async fn setting(name: &str, partitions: u16) -> (&'static RabbitServer, Setting) {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::new(name, partitioned(rabbit, partitions), redis.url());
    (rabbit, setting)
}

/// The load, of each order the events from `first` to `last`.
fn from(first: u64, last: u64) -> Vec<String> {
    let events = last;
    let mut arguments = Load { events, ..LOAD }.arguments();
    arguments.extend(["--first".to_owned(), first.to_string()]);
    arguments
}

/// A deployment under load, one worker after the other, from four partitions to eight. One of the workers is killed.
/// The events of a key come over its old partition and its new one at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_become_more_under_load_and_nothing_is_lost_or_overtaken() {
    let (rabbit, mut setting) = setting("grow", 4).await;
    setting.declare().await;
    let mut old = Vec::from(["w1", "w2", "w3"].map(|id| setting.work(id, &OPTIONS)));
    let half = LOAD.events / 2;
    let before = setting.begin_to_produce_with(&from(1, half));
    let handled = |part: usize| {
        let (log, part) = (setting.log.clone(), LOAD.total() / part);
        eventually_within(TIMEOUT, "it goes on", async move || log.total() > part)
    };
    handled(20).await;
    let (second, third) = (handled(10), handled(5));
    setting.transport = partitioned(rabbit, 8);
    let mut new = vec![setting.work("w4", &OPTIONS)];
    let starts = async || setting.is_up(&new[0]);
    eventually_within(TIMEOUT, "it has declared the others", starts).await;
    let after = setting.begin_to_produce_with(&from(half + 1, LOAD.events));
    old.remove(0).kill();
    new.push(setting.work("w5", &OPTIONS));
    second.await;
    old.remove(0).stop().await;
    new.push(setting.work("w6", &OPTIONS));
    third.await;
    old.remove(0).stop().await;
    before.finished().await;
    after.finished().await;
    setting.finished(&LOAD).await;
    for worker in new {
        tokio::time::timeout(Duration::from_secs(60), worker.stop())
            .await
            .expect("it stops");
    }
    setting
        .log
        .assert_repeated_only_by(|worker| worker == "w1", &LOAD);
}
