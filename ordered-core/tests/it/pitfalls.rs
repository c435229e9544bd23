//! How others got this wrong, where no other test says it: see `docs/internals/pitfalls.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_core::handler::Backoff;
use ordered_core::transport::{Faults, Publish};
use ordered_core::worker::WorkerEvent;

use crate::support::world::{Act, World, event};

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_early_is_delivered_once_and_not_requeued_until_its_turn() {
    let world = World::new(Faults::default());
    let deliveries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&deliveries);
    let early = (2..=20).rev().map(|seq| event("k", seq));
    world.broker.publish(early.collect()).await.unwrap();
    let worker = world.start("w1", |worker| {
        worker.observe(move |occurrence| {
            if let WorkerEvent::Received { .. } = occurrence {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    world
        .until("all held", |world| world.broker.backlog() == 0)
        .await;
    // For ten minutes nobody asks for them again.
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(deliveries.load(Ordering::SeqCst), 19);
    assert_eq!(world.handled(), 0);
    world.broker.publish(vec![event("k", 1)]).await.unwrap();
    world
        .until("all handled", |world| world.handled() == 20)
        .await;
    worker.stop().await;
    world.assert_in_order_once(1, 20);
    assert_eq!(deliveries.load(Ordering::SeqCst), 20);
}

#[tokio::test(start_paused = true)]
async fn keys_that_fail_again_and_again_do_not_use_up_the_intake() {
    let world = World::new(Faults::default()).script(|context| {
        if context.key().as_str().starts_with("bad") {
            Act::Fail
        } else {
            Act::Succeed
        }
    });
    let bad = (0..16).map(|key| event(&format!("bad{key}"), 1));
    let good = (1..=3).map(|seq| event("good", seq));
    world
        .broker
        .publish(bad.chain(good).collect())
        .await
        .unwrap();
    let long = Duration::from_secs(3_600);
    let worker = world.start("w1", |worker| {
        worker
            .concurrency(4)
            .read_ahead(8)
            .max_attempts(u32::MAX)
            .backoff(Backoff {
                base: long,
                cap: long,
            })
            .drain_timeout(Duration::from_secs(1))
    });
    let wait = world.until("the good key is handled", |world| {
        world
            .by_key()
            .get("good")
            .is_some_and(|seqs| seqs.len() == 3)
    });
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .expect("the good key does not wait for the bad ones");
    worker.stop().await;
}
