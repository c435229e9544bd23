use std::time::Duration;

use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::support::killed_worker::{self, Killing, LEASE, SWEEP};
use crate::support::load::Load;
use crate::support::processes::Setting;

fn load() -> Load {
    Load::full(1)
}

async fn setting(name: &str) -> Setting {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    Setting::new(name, rabbit.url(), redis.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_handle_every_key_in_order_and_once() {
    let setting = setting("three").await;
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
    setting.produce(&load()).await;
    setting.finished(&load()).await;
    for worker in workers {
        worker.stop().await;
    }
    setting.log.assert_in_order_once(&load());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_in_python_is_as_good() {
    let setting = setting("python").await;
    // The queue is declared by whoever comes first; this producer leaves that to others.
    setting.declare().await;
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
    setting
        .begin_to_produce_with_python(&load())
        .finished()
        .await;
    setting.finished(&load()).await;
    for worker in workers {
        worker.stop().await;
    }
    setting.log.assert_in_order_once(&load());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_killed_worker_go_on_elsewhere() {
    /// For processes that wait for their turn on a busy machine.
    const MARGIN: Duration = Duration::from_secs(3);
    let killing = Killing {
        load: load(),
        concurrency: 12,
        in_python: false,
        within: LEASE + 2 * SWEEP + MARGIN,
    };
    let setting = setting("killed").await;
    // So that all three get their share from the first event on, and none waits for a queue to be made.
    setting.declare().await;
    killed_worker::one_of_three_workers_may_be_killed(&setting, &killing).await;
}
