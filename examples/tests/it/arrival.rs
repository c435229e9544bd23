//! Messages without numbers, in the order in which the broker hands them over.

use std::time::Duration;

use ordered_testkit::server::{RabbitServer, RedisServer};
use ordered_testkit::{eventually, eventually_within};

use crate::load::Load;
use crate::orders::{PATIENCE, Setting};

const LOAD: Load = Load {
    keys: 12,
    events: 40,
    seed: 0,
};
const OPTIONS: [&str; 4] = ["--work-ms", "10", "--lease-ms", "2000"];

/// A queue that the broker gives to one consumer at a time.
async fn declare_for_one_consumer(rabbit: &RabbitServer, queue: &str) {
    let declare = format!(
        "rabbit_amqqueue:declare({{resource, <<\"/\">>, queue, <<\"{queue}\">>}}, true, false, \
         [{{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}}, {{<<\"x-single-active-consumer\">>, bool, true}}], none, \
         <<\"test\">>)."
    );
    rabbit.ctl(&["eval", &declare]).await.unwrap();
}

async fn setting(name: &str, parameters: &str) -> (&'static RabbitServer, Setting) {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let url = format!("{}{parameters}", rabbit.url());
    (rabbit, Setting::of("legacy", name, url, redis.url()))
}

/// The broker hands the queue to one worker at a time. Two of the three are killed while they have it.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_queue_with_one_consumer_run_in_order_though_workers_are_killed() {
    let (rabbit, setting) = setting("arrival", "").await;
    declare_for_one_consumer(rabbit, &setting.queue).await;
    two_of_three_are_killed(setting, "one worker at a time consumes the queue").await;
}

/// The broker hands each partition to one worker at a time. All are with the first one until that is killed.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_partitions_run_in_order_though_workers_are_killed() {
    let (_, setting) = setting("arrival-partitions", "?partitions=4&key=customer").await;
    two_of_three_are_killed(setting, "the events of one partition are handed over").await;
}

async fn two_of_three_are_killed(setting: Setting, hand_over: &str) {
    let mut workers = Vec::new();
    for id in ["w1", "w2", "w3"] {
        let worker = setting.work(id, &OPTIONS);
        // The first that consumes has the queue.
        let consumes = async || setting.said(id).contains("consuming");
        eventually("it consumes", consumes).await;
        workers.push(worker);
    }
    let said = setting.said("w1");
    assert!(said.contains(hand_over), "{said}");
    let count = |number: &dyn std::fmt::Display| number.to_string();
    let arguments = [
        "--keys",
        &count(&LOAD.keys),
        "--events",
        &count(&LOAD.events),
    ];
    let arguments = arguments.map(ToOwned::to_owned);
    setting.begin_to_produce_with(&arguments).finished().await;
    for part in [4, 2] {
        let part = LOAD.total() / part;
        let is_there = async || setting.log.total() > part;
        eventually_within(PATIENCE, "in the middle", is_there).await;
        workers.remove(0).kill();
    }
    setting.finished(&LOAD).await;
    tokio::time::timeout(Duration::from_secs(30), workers.remove(0).stop())
        .await
        .expect("it stops");
    let killed = |worker: &str| ["w1", "w2"].contains(&worker);
    setting.log.assert_repeated_only_by(killed, &LOAD);
}
