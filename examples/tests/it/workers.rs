use std::time::{Duration, Instant};

use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::orders::Setting;

const LOAD: [&str; 10] = [
    "--keys",
    "200",
    "--events",
    "100",
    "--shuffle",
    "500",
    "--duplicates",
    "10",
    "--seed",
    "1",
];

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
    setting.produce(&LOAD);
    setting.finished(200, 100).await;
    for worker in workers {
        worker.stop().await;
    }
    setting.assert_in_order_once(200, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_in_python_is_as_good() {
    let setting = setting("python").await;
    // The queue is declared by whoever comes first; this producer leaves that to others.
    setting.produce(&["--keys", "0"]);
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &[]));
    setting.produce_with_python(&LOAD);
    setting.finished(200, 100).await;
    for worker in workers {
        worker.stop().await;
    }
    setting.assert_in_order_once(200, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_killed_worker_go_on_elsewhere() {
    const LEASE: Duration = Duration::from_secs(2);
    const SWEEP: Duration = Duration::from_millis(250);
    /// For processes that wait for their turn on a busy machine.
    const MARGIN: Duration = Duration::from_secs(3);
    let setting = setting("killed").await;
    let options = [
        "--lease-ms",
        "2000",
        "--sweep-ms",
        "250",
        "--work-ms",
        "20",
        "--concurrency",
        "32",
    ];
    let mut dying = setting.work("w1", &options);
    let others = ["w2", "w3"].map(|id| setting.work(id, &options));
    setting.produce(&LOAD);
    eventually_within(
        Duration::from_secs(120),
        "a third handled, all workers at work",
        async || {
            let handled = setting.handled();
            let of_dying = handled.iter().filter(|one| one.worker == "w1").count();
            handled.len() > 6_000 && of_dying > 200
        },
    )
    .await;
    dying.kill();
    let killed = Instant::now();
    let took = setting.go_on_without("w1", killed, 100).await;
    assert!(took < LEASE + SWEEP + MARGIN, "{took:?}");
    setting.finished(200, 100).await;
    for worker in others {
        worker.stop().await;
    }
    setting.assert_repeated_only_by("w1", 100);
}
