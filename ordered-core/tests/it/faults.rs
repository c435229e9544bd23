use std::time::Duration;

use ordered_core::transport::Faults;

use crate::support::world::World;

fn bad_weather(seed: u64) -> Faults {
    println!("seed {seed}");
    Faults {
        seed,
        shuffle: 200,
        duplicate: 10,
        drop: 3,
        forget: 3,
        delay: Duration::from_millis(50),
    }
}

#[tokio::test(start_paused = true)]
async fn one_worker_puts_everything_in_order() {
    let world = World::new(bad_weather(1));
    world.publish(20, 50).await;
    let worker = world.start("w1", |worker| worker);
    world
        .until("all handled and settled", |world| {
            world.handled() >= 1000 && world.broker.backlog() == 0
        })
        .await;
    worker.stop().await;
    world.assert_in_order_once(20, 50);
}

#[tokio::test(start_paused = true)]
async fn three_workers_share_the_keys() {
    for seed in 0..20 {
        let world = World::new(bad_weather(seed));
        world.publish(20, 30).await;
        let workers = ["w1", "w2", "w3"].map(|name| world.start(name, |worker| worker));
        world
            .until("all handled and settled", |world| {
                world.handled() >= 600 && world.broker.backlog() == 0
            })
            .await;
        for worker in workers {
            worker.stop().await;
        }
        world.assert_in_order_once(20, 30);
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_worker_is_taken_over() {
    for seed in 0..20 {
        let mut world = World::new(bad_weather(seed));
        world.handler.work = Duration::from_millis(1);
        world.publish(20, 30).await;
        let dying = world.start("w1", |worker| worker);
        let workers = ["w2", "w3"].map(|name| world.start(name, |worker| worker));
        world
            .until("half handled", |world| world.handled() >= 300)
            .await;
        dying.kill().await;
        world
            .until("all settled", |world| world.broker.backlog() == 0)
            .await;
        world
            .until("all handled", |world| {
                world.by_key().values().all(|seqs| seqs.last() == Some(&30))
            })
            .await;
        for worker in workers {
            worker.stop().await;
        }
        for (key, mut seqs) in world.by_key() {
            let times = seqs.len();
            seqs.dedup();
            assert_eq!(seqs, (1..=30).collect::<Vec<_>>(), "{key}");
            assert!(times <= 31, "{key}: only what was in flight runs again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_drained_worker_leaves_nothing_behind() {
    let mut world = World::new(bad_weather(3));
    world.handler.work = Duration::from_millis(20);
    world.publish(20, 30).await;
    let leaving = world.start("w1", |worker| worker);
    world
        .until("some handled", |world| world.handled() >= 50)
        .await;
    leaving.stop().await;
    let handled = world.handled();
    let staying = world.start("w2", |worker| worker);
    let begun = tokio::time::Instant::now();
    world
        .until("one more handled", |world| world.handled() > handled)
        .await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "no lease had to end: {:?}",
        begun.elapsed()
    );
    world
        .until("all settled", |world| {
            world.broker.backlog() == 0 && world.handled() == 600
        })
        .await;
    staying.stop().await;
    world.assert_in_order_once(20, 30);
}
