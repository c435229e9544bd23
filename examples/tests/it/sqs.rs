use std::time::Duration;

use ordered_testkit::server::{RabbitServer, RedisServer, SqsServer};

use crate::bad_input;
use crate::support::killed_worker::{self, Killing, LEASE, SWEEP};
use crate::support::load::Load;
use crate::support::processes::Setting;

fn full_load() -> Load {
    Load::full(3)
}

/// For what is about something else than the load.
const SMALL_LOAD: Load = Load {
    keys: 50,
    events: 40,
    seed: 3,
};

/// The queue's visibility timeout: short, so that what a killed worker had comes back soon.
const VISIBILITY: Duration = Duration::from_secs(3);

/// A queue of the emulator that the tests share.
async fn shared(name: &str, fifo: bool) -> Setting {
    setting(SqsServer::shared().await.unwrap(), name, fifo).await
}

async fn setting(sqs: &SqsServer, name: &str, fifo: bool) -> Setting {
    let redis = RedisServer::shared().await.unwrap();
    let mut setting = Setting::new(name, String::new(), redis.url());
    if fifo {
        setting.queue.push_str(".fifo");
    }
    setting.transport = format!("{}&message_group=order_id", sqs.url(&setting.queue));
    let visibility = VISIBILITY.as_secs().to_string();
    sqs.create_queue(&setting.queue, &[("VisibilityTimeout", &visibility)])
        .await
        .unwrap();
    setting
}

/// With an emulator of its own, which does one thing at a time.
async fn three_workers(fifo: bool) {
    let sqs = SqsServer::start().await.unwrap();
    let setting = setting(&sqs, "sqs-three", fifo).await;
    let load = full_load();
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
    setting.produce(&load).await;
    setting.finished(&load).await;
    for worker in workers {
        worker.stop().await;
    }
    setting.log.assert_in_order_once(&load);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_in_python_is_as_good_on_either_kind_of_queue() {
    for fifo in [false, true] {
        let setting = shared("sqs-python", fifo).await;
        let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
        let producer = setting.begin_to_produce_with_python(&SMALL_LOAD);
        producer.finished().await;
        setting.finished(&SMALL_LOAD).await;
        for worker in workers {
            worker.stop().await;
        }
        setting.log.assert_in_order_once(&SMALL_LOAD);
    }
}

/// The full load once more, from Python this time.
async fn a_killed_worker(fifo: bool) {
    /// For processes that wait for their turn on a busy machine, one of them the emulator.
    const MARGIN: Duration = Duration::from_secs(4);
    let killing = Killing {
        load: full_load(),
        concurrency: 10,
        in_python: true,
        // What the dead worker had received and not handled is out of sight for the visibility timeout.
        within: VISIBILITY.max(LEASE + 2 * SWEEP) + MARGIN,
    };
    let sqs = SqsServer::start().await.unwrap();
    let setting = setting(&sqs, "sqs-killed", fifo).await;
    killed_worker::one_of_three_workers_may_be_killed(&setting, &killing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_handle_every_key_of_a_standard_queue_in_order_and_once() {
    three_workers(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_handle_every_key_of_a_fifo_queue_in_order_and_once() {
    three_workers(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_standard_queue_may_be_killed() {
    a_killed_worker(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_fifo_queue_may_be_killed() {
    a_killed_worker(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_on_a_standard_queue_is_dead_lettered() {
    let setting = shared("sqs-bad", false).await;
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
    let setting = shared("sqs-bad", true).await;
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
    let sqs = shared("both", false).await;
    let rabbit = RabbitServer::shared().await.unwrap();
    let mut amqp = Setting::new("both-amqp", rabbit.url(), sqs.store.clone());
    // The queue is there before three programs want it at once: RabbitMQ refuses events while it makes a quorum queue.
    amqp.declare().await;
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
    let half = |which: &str| {
        let mut arguments = SMALL_LOAD.arguments();
        arguments.extend(["--part".to_owned(), which.to_owned()]);
        arguments
    };
    let (odd, even) = (
        amqp.begin_to_produce_with(&half("0/2")),
        sqs.begin_to_produce_with(&half("1/2")),
    );
    tokio::join!(odd.finished(), even.finished());
    sqs.finished(&SMALL_LOAD).await;
    for worker in workers {
        worker.stop().await;
    }
    sqs.log.assert_in_order_once(&SMALL_LOAD);
}
