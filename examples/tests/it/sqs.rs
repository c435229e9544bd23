use std::time::{Duration, Instant};

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer, SqsServer};

use crate::bad_input;
use crate::orders::Setting;

/// Less than over RabbitMQ: the emulator of SQS delivers about a thousand messages a second, with a short queue.
const LOAD: [&str; 10] = [
    "--keys",
    "50",
    "--events",
    "40",
    "--shuffle",
    "500",
    "--duplicates",
    "10",
    "--seed",
    "3",
];

/// The queue's visibility timeout, in seconds: short, so that what a killed worker had comes back soon.
const VISIBILITY: &str = "3";

async fn setting(name: &str, fifo: bool) -> Setting {
    let (sqs, redis) = (
        SqsServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let mut setting = Setting::new(name, String::new(), redis.url());
    if fifo {
        setting.queue.push_str(".fifo");
    }
    setting.transport = format!("{}&message_group=order_id", sqs.url(&setting.queue));
    sqs.create_queue(&setting.queue, &[("VisibilityTimeout", VISIBILITY)])
        .await
        .unwrap();
    setting
}

/// The same as over RabbitMQ.
const FULL_LOAD: [&str; 10] = [
    "--keys",
    "200",
    "--events",
    "100",
    "--shuffle",
    "500",
    "--duplicates",
    "10",
    "--seed",
    "3",
];

async fn three_workers(name: &str, fifo: bool, load: &[&str], keys: usize, events: u64) {
    let setting = setting(name, fifo).await;
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
    setting.produce(load);
    setting.finished(keys, events).await;
    for worker in workers {
        worker.stop().await;
    }
    setting.assert_in_order_once(keys, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_in_python_is_as_good_on_either_kind_of_queue() {
    for fifo in [false, true] {
        let setting = setting("sqs-python", fifo).await;
        let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
        setting.produce_with_python(&LOAD);
        setting.finished(50, 40).await;
        for worker in workers {
            worker.stop().await;
        }
        setting.assert_in_order_once(50, 40);
    }
}

async fn a_killed_worker(name: &str, fifo: bool) {
    let setting = setting(name, fifo).await;
    let options = [
        "--lease-ms",
        "2000",
        "--sweep-ms",
        "250",
        "--work-ms",
        "20",
        "--concurrency",
        "16",
    ];
    let mut dying = setting.work("w1", &options);
    let others = ["w2", "w3"].map(|id| setting.work(id, &options));
    setting.produce(&LOAD);
    eventually_within(Duration::from_secs(60), "under way", async || {
        setting
            .handled()
            .iter()
            .filter(|one| one.worker == "w1")
            .count()
            > 50
    })
    .await;
    dying.kill();
    let took = setting.go_on_without("w1", Instant::now(), 40).await;
    // What the dead worker had received and not handled is out of sight for the visibility timeout; then its keys go on.
    assert!(took < Duration::from_secs(3 + 3 + 4), "{took:?}");
    setting.finished(50, 40).await;
    for worker in others {
        worker.stop().await;
    }
    setting.assert_repeated_only_by("w1", 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_handle_every_key_of_a_standard_queue_in_order_and_once() {
    three_workers("sqs-three", false, &FULL_LOAD, 200, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_handle_every_key_of_a_fifo_queue_in_order_and_once() {
    three_workers("sqs-three", true, &LOAD, 50, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_standard_queue_may_be_killed() {
    a_killed_worker("sqs-killed", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_fifo_queue_may_be_killed() {
    a_killed_worker("sqs-killed", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_on_a_standard_queue_is_dead_lettered() {
    let setting = setting("sqs-bad", false).await;
    let dead = format!("{}-dead", setting.queue);
    bad_input::is_dead_lettered(
        &setting,
        &dead,
        sqs_takes,
        &[("sqs.message_group_id", "bad")],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_on_a_fifo_queue_is_dead_lettered() {
    let setting = setting("sqs-bad", true).await;
    let dead = setting.queue.replace(".fifo", "-dead.fifo");
    bad_input::is_dead_lettered(
        &setting,
        &dead,
        sqs_takes,
        &[("sqs.message_group_id", "bad")],
    )
    .await;
}

/// SQS takes no empty message, and none above 1 MiB.
fn sqs_takes(body: &[u8]) -> bool {
    (1..1 << 20).contains(&body.len())
}

/// Events of the same keys, half over RabbitMQ and half over SQS, at once.
#[tokio::test(flavor = "multi_thread")]
async fn two_brokers_feed_one_group() {
    let sqs = setting("both", false).await;
    let rabbit = RabbitServer::shared().await.unwrap();
    let mut amqp = Setting::new("both-amqp", rabbit.url(), sqs.store.clone());
    // The queue is there before three programs want it at once: RabbitMQ refuses events while it makes a quorum queue.
    amqp.produce(&["--keys", "0"]);
    // One group and one log.
    amqp.group.clone_from(&sqs.group);
    amqp.log.clone_from(&sqs.log);
    let workers = [
        amqp.work("a1", &[]),
        amqp.work("a2", &[]),
        sqs.work("s1", &[]),
        sqs.work("s2", &[]),
    ];
    // The same seed makes the same events on both sides, and each publishes the half that the other leaves out.
    let half = |which: &'static str| [&LOAD[..], &["--half", which]].concat();
    std::thread::scope(|both| {
        both.spawn(|| amqp.produce(&half("odd")));
        both.spawn(|| sqs.produce(&half("even")));
    });
    sqs.finished(50, 40).await;
    for worker in workers {
        worker.stop().await;
    }
    sqs.assert_in_order_once(50, 40);
}
