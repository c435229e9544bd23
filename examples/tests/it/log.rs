//! What a worker says.

use ordered_testkit::server::{RabbitServer, RedisServer};
use ordered_testkit::{eventually, unique};

use crate::support::load::Load;
use crate::support::processes::Setting;

/// The queues are missing, and are declared; the server is older than what the transport would like to ask of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_over_rabbitmq_and_redis_logs_no_error() {
    let setting = setting("start").await;
    for id in ["w1", "w2"] {
        let worker = setting.work(id, &[]);
        eventually("it consumes", async || {
            setting.output(id).contains("consuming")
        })
        .await;
        worker.stop().await;
        let output = setting.output(id);
        assert!(output.contains("the worker starts"), "{output}");
        let errors: Vec<&str> = output
            .lines()
            .filter(|line| line.contains("ERROR"))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

async fn setting(name: &str) -> Setting {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    Setting::new(name, rabbit.url(), redis.url())
}

/// Waits until a worker says this, and returns the line.
async fn line(setting: &Setting, id: &str, words: &str) -> String {
    eventually(words, async || setting.output(id).contains(words)).await;
    let output = setting.output(id);
    let mut lines = output.lines().filter(|line| line.contains(words));
    let line = lines.next().expect("it was said").to_owned();
    assert_eq!(lines.next(), None, "told once");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn two_groups_on_one_queue_are_told_in_both() {
    let setting = setting("shared").await;
    setting.declare().await;
    let other = unique("billing");
    let orders = setting.work("orders", &[]);
    let billing = setting.work_as("billing", ("billing", &other), &[]);
    let words = "two groups consume one queue";
    let of_orders = line(&setting, "orders", words).await;
    assert!(
        of_orders.contains(&format!("other_group=\"{other}\"")),
        "{of_orders}"
    );
    assert!(of_orders.contains(&setting.group), "{of_orders}");
    let of_billing = line(&setting, "billing", words).await;
    assert!(of_billing.contains(&setting.queue), "{of_billing}");
    orders.stop().await;
    billing.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_renamed_is_told() {
    let setting = setting("renamed").await;
    setting.declare().await;
    let old = setting.work("old", &[]);
    line(&setting, "old", "consuming").await;
    // The worker has noted itself by the time it has handled something.
    let load = Load {
        keys: 1,
        events: 1,
        seed: 1,
    };
    setting.produce(&load).await;
    setting.finished(&load).await;
    old.stop().await;
    let new = setting.work_as("new", ("new", &unique("new")), &[]);
    let told = line(
        &setting,
        "new",
        "the group is new, and another one consumed its queue",
    )
    .await;
    assert!(
        told.contains(&format!("other_group=\"{}\"", setting.group)),
        "{told}"
    );
    assert!(told.contains("ordered import"), "{told}");
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_for_two_processes_is_told() {
    let setting = setting("named").await;
    setting.declare().await;
    let (name, group) = ("worker", setting.group.as_str());
    let first = setting.work_as("first", (name, group), &[]);
    let second = setting.work_as("second", (name, group), &[]);
    let words = "another live process works under the name of this worker";
    for id in ["first", "second"] {
        let told = line(&setting, id, words).await;
        assert!(told.contains("worker=\"worker\""), "{told}");
    }
    first.stop().await;
    second.stop().await;
}
