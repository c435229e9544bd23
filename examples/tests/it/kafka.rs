use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_testkit::eventually_within;
use ordered_testkit::server::{KafkaServer, RabbitServer, RedisServer, SqsServer};

use crate::bad_input;
use crate::support::killed_worker::{self, Killing, LEASE, SWEEP};
use crate::support::load::Load;
use crate::support::processes::{Setting, TIMEOUT, Worker};

fn load() -> Load {
    Load::full(5)
}

const PARTITIONS: i32 = 8;
/// The group finds out so soon that a worker has died: the least that a broker with usual settings allows.
const SESSION: Duration = Duration::from_secs(6);

async fn shared(name: &str, keyed: bool) -> Setting {
    setting(KafkaServer::shared().await.unwrap(), name, keyed).await
}

/// A topic with eight partitions; the events of an order go to one of them, or, on purpose, to any.
async fn setting(kafka: &KafkaServer, name: &str, keyed: bool) -> Setting {
    let redis = RedisServer::shared().await.unwrap();
    let mut setting = Setting::new(name, String::new(), redis.url());
    let key = if keyed { "&key=order_id" } else { "" };
    let session = SESSION.as_millis();
    setting.transport = format!("{}?session.timeout.ms={session}{key}", kafka.url());
    let settings = [("max.message.bytes", "10000000")];
    kafka
        .create_topic(&setting.queue, PARTITIONS, &settings)
        .await
        .unwrap();
    setting
}

async fn three_workers(keyed: bool) {
    let setting = shared("kafka-three", keyed).await;
    let load = load();
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
    setting.produce(&load).await;
    setting.finished(&load).await;
    for worker in workers {
        worker.stop().await;
    }
    setting.log.assert_in_order_once(&load);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_handle_every_key_in_order_and_once() {
    three_workers(true).await;
}

/// The events of a key come over all partitions, to all workers.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_without_keys_is_put_in_order() {
    three_workers(false).await;
}

/// As it is often written: payloads have their type, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_producer_in_python_is_as_good() {
    for more in [&["--types-only"][..], &["--unkeyed"]] {
        let setting = shared("kafka-python", true).await;
        let load = Load { keys: 50, ..load() };
        let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
        let producer = setting.begin_to_produce_with_python_and(&load, more);
        producer.finished().await;
        setting.finished(&load).await;
        for worker in workers {
            worker.stop().await;
        }
        setting.log.assert_in_order_once(&load);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_killed_worker_go_on_elsewhere() {
    /// For processes that wait for their turn on a busy machine, and for the group to share the partitions anew.
    const MARGIN: Duration = Duration::from_secs(20);
    let killing = Killing {
        load: load(),
        concurrency: 10,
        in_python: false,
        within: SESSION.max(LEASE + 2 * SWEEP) + MARGIN,
    };
    let setting = shared("kafka-killed", true).await;
    killed_worker::one_of_three_workers_may_be_killed(&setting, &killing).await;
}

/// Kills, joins and leaves, one after the other, and the broker killed and started again in between: in order, and once
/// but for what was in flight in a killed worker.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: `cargo test -p examples kafka -- --ignored`"]
async fn workers_and_the_broker_come_and_go() {
    let mut kafka = KafkaServer::start().await.unwrap();
    for keyed in [true, false] {
        let setting = setting(&kafka, "kafka-unrest", keyed).await;
        let load = load();
        setting.produce(&load).await;
        // So slow that it is not over before the last of it.
        let options = [
            "--work-ms",
            "40",
            "--concurrency",
            "8",
            "--lease-ms",
            "4000",
            "--sweep-ms",
            "250",
        ];
        let next = AtomicUsize::new(1);
        let start = || {
            let id = format!("w{}", next.fetch_add(1, Ordering::Relaxed));
            setting.work(&id, &options)
        };
        let mut workers: Vec<Worker> = (0..3).map(|_| start()).collect();
        let mut killed = Vec::new();
        for step in 0..3 {
            more_are_handled(&setting, &load, 10).await;
            let mut dying = workers.remove(0);
            dying.kill();
            killed.push(dying.id.clone());
            workers.push(start());
            more_are_handled(&setting, &load, 20).await;
            if step == 1 {
                kafka.kill();
                kafka.start_again().await.unwrap();
                more_are_handled(&setting, &load, 20).await;
            }
            workers.remove(0).stop().await;
            workers.push(start());
        }
        setting.finished(&load).await;
        for worker in workers {
            worker.stop().await;
        }
        setting
            .log
            .assert_repeated_only_by(|worker| killed.iter().any(|id| id == worker), &load);
    }
}

/// A worker that is stopped for longer than its group waits for it loses its partitions, and not its keys, which its
/// lease still covers: whoever has the partitions posts to it, and nothing is handled twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_for_a_while_handles_nothing_twice() {
    let setting = shared("kafka-stopped", true).await;
    let load = load();
    let options = [
        "--work-ms",
        "25",
        "--concurrency",
        "8",
        "--lease-ms",
        "60000",
    ];
    let mut workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));
    setting.produce(&load).await;
    more_are_handled(&setting, &load, 10).await;
    workers[0].signal("STOP");
    // The time is the subject of the test: the group must give up the worker.
    tokio::time::sleep(SESSION + Duration::from_secs(2)).await;
    workers[0].signal("CONT");
    setting.finished(&load).await;
    assert!(workers.iter_mut().all(Worker::is_running));
    for worker in workers {
        worker.stop().await;
    }
    setting.log.assert_in_order_once(&load);
}

/// Waits until one in so many of all is handled besides those that are at this moment, or all are.
async fn more_are_handled(setting: &Setting, load: &Load, one_in: usize) {
    let all = load.total();
    let wanted = (setting.log.total() + all / one_in).min(all);
    eventually_within(TIMEOUT, "under way", async || setting.log.total() >= wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_dead_lettered() {
    let setting = shared("kafka-bad", true).await;
    let dead = format!("{}.dead", setting.queue);
    KafkaServer::shared()
        .await
        .unwrap()
        .create_topic(&dead, 1, &[("max.message.bytes", "10000000")])
        .await
        .unwrap();
    bad_input::is_dead_lettered(&setting, &dead, |_| true, &[]).await;
}

/// Events of the same keys, a third over RabbitMQ, a third over SQS and a third over Kafka, at once.
#[cfg(feature = "sqs")]
#[tokio::test(flavor = "multi_thread")]
async fn three_brokers_feed_one_group() {
    let load = Load {
        keys: 50,
        events: 40,
        seed: 3,
    };
    let kafka = shared("three", true).await;
    let (rabbit, sqs) = (
        RabbitServer::shared().await.unwrap(),
        SqsServer::shared().await.unwrap(),
    );
    let mut amqp = Setting::new("three-amqp", rabbit.url(), kafka.store.clone());
    amqp.declare().await;
    let mut aws = Setting::new("three-sqs", String::new(), kafka.store.clone());
    aws.transport = sqs.url(&aws.queue);
    sqs.create_queue(&aws.queue, &[("VisibilityTimeout", "30")])
        .await
        .unwrap();
    // One group and one log.
    for other in [&mut amqp, &mut aws] {
        other.group.clone_from(&kafka.group);
        other.log.clone_from(&kafka.log);
    }
    let all = [&kafka, &amqp, &aws];
    let workers = all.map(|setting| setting.work(&setting.queue, &[]));
    // The same seed makes the same events everywhere, and each publishes its third of them.
    let producers = ["0", "1", "2"].map(|part| {
        let mut arguments = load.arguments();
        arguments.extend(["--part", &format!("{part}/3")].map(str::to_owned));
        arguments
    });
    let [first, second, third] =
        [0, 1, 2].map(|place| all[place].begin_to_produce_with(&producers[place]));
    tokio::join!(first.finished(), second.finished(), third.finished());
    kafka.finished(&load).await;
    for worker in workers {
        worker.stop().await;
    }
    kafka.log.assert_in_order_once(&load);
}
