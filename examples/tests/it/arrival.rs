//! Messages without numbers, in the order in which the broker hands them over.

use ordered_testkit::eventually;
use ordered_testkit::server::RabbitServer;

use crate::support::load::Load;
use crate::support::processes::Setting;

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

/// The broker hands the queue to one worker at a time. Two of the three are killed while they have it.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_queue_with_one_consumer_run_in_order_though_workers_are_killed() {
    let (rabbit, setting) = Setting::shared("legacy", "arrival", "").await;
    declare_for_one_consumer(rabbit, &setting.queue).await;
    two_of_three_are_killed(setting, "one worker at a time consumes the queue").await;
}

/// The broker hands each partition to one worker at a time. All are with the first one until that is killed.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_partitions_run_in_order_though_workers_are_killed() {
    let partitions = "?partitions=4&key=customer";
    let (_, setting) = Setting::shared("legacy", "arrival-partitions", partitions).await;
    two_of_three_are_killed(setting, "the events of one partition are handed over").await;
}

async fn two_of_three_are_killed(setting: Setting, hand_over: &str) {
    let mut workers = Vec::new();
    for id in ["w1", "w2", "w3"] {
        let worker = setting.work(id, &OPTIONS);
        // The first that consumes has the queue.
        let consumes = async || setting.output(id).contains("consuming");
        eventually("it consumes", consumes).await;
        workers.push(worker);
    }
    let output = setting.output("w1");
    assert!(output.contains(hand_over), "{output}");
    let arguments = LOAD.keys_and_events();
    setting.begin_to_produce_with(&arguments).finished().await;
    let marks = [LOAD.total() / 4, LOAD.total() / 2];
    setting
        .finished_by_the_last_of(workers, &marks, &LOAD)
        .await;
    let killed = |worker: &str| ["w1", "w2"].contains(&worker);
    setting.log.assert_repeated_only_by(killed, &LOAD);
}
