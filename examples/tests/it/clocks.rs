//! Bookings of three branches, in the order of their Lamport clocks.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ordered_events::core::protocol::Policy;
use ordered_events::core::store::Group;
use ordered_events::{Admin, Key, Order, RedisStore};
use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::support::load::Load;
use crate::support::processes::{Setting, TIMEOUT};

const LOAD: Load = Load {
    keys: 12,
    events: 40,
    seed: 0,
};

/// Three workers share a queue, with shuffled bookings and repetitions. Two of the three are killed.
#[tokio::test(flavor = "multi_thread")]
async fn all_bookings_run_in_one_order_though_workers_are_killed() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::of("clocks", "clocks", rabbit.url(), redis.url());
    let count = |number: &dyn std::fmt::Display| number.to_string();
    let mut arguments = vec![
        "--keys".to_owned(),
        count(&LOAD.keys),
        "--events".to_owned(),
        count(&LOAD.events),
    ];
    let options = ["--work-ms", "5", "--lease-ms", "2000"];
    // No branch is given up, however busy the machine is.
    let options = [&options[..], &["--producer-lease-ms", "600000"]].concat();
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));
    let mut workers = Vec::from(workers);

    arguments.push("--join".to_owned());
    setting.begin_to_produce_with(&arguments).finished().await;
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    let mut policy = Policy::default();
    policy.order = Order::Lamport;
    let (admin, group) = (
        Admin::new(Arc::new(store)),
        Group::new(&setting.group, policy),
    );
    let all_known = async || {
        for account in 1..=LOAD.keys {
            let key = Key::new(format!("account-{account}")).unwrap();
            let view = admin.inspect(&group, &key).await.unwrap();
            if view.is_none_or(|view| view.producers.len() < 3) {
                return false;
            }
        }
        true
    };
    eventually_within(TIMEOUT, "all branches are known", all_known).await;
    arguments.pop();
    setting.begin_to_produce_with(&arguments).finished().await;

    for part in [4, 2] {
        let some = LOAD.total() / part;
        let is_there = async || setting.log.total() > some;
        eventually_within(TIMEOUT, "in the middle", is_there).await;
        workers.remove(0).kill();
    }
    setting.finished(&LOAD).await;
    tokio::time::timeout(Duration::from_secs(30), workers.remove(0).stop())
        .await
        .expect("it stops");
    let killed = |worker: &str| worker.starts_with("w1") || worker.starts_with("w2");
    setting.log.assert_repeated_only_by(killed, &LOAD);
}

#[test]
fn the_clocks_in_python_do_what_their_examples_say() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../target/python/bin/python");
    let mut python = Command::new(python);
    let tried = python.arg(here.join("python/clocks.py")).output().unwrap();
    assert!(tried.status.success(), "{tried:?}");
}
