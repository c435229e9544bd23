//! Servers that are not up yet when a worker starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::transport::{
    ConsumeOptions, Delivery, Faults, MemoryTransport, Settlement, Transport, TransportError,
};
use ordered_core::worker::WorkerError;
use tokio::time::Instant;

use crate::support::hooked_store::HookedStore;
use crate::support::world::World;

/// Whether this is a later attempt than the first so many.
fn after(attempts: u32) -> (Arc<AtomicU32>, impl Fn() -> bool + Send + Sync + 'static) {
    let made = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&made);
    let is_up = move || counted.fetch_add(1, Ordering::Relaxed) >= attempts;
    (made, is_up)
}

/// A consumer whose broker is not up yet.
struct Late<U> {
    inner: MemoryTransport,
    is_up: U,
}

#[async_trait]
impl<U: Fn() -> bool + Send + Sync + 'static> Transport for Late<U> {
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        if !(self.is_up)() {
            return Err(TransportError::unavailable("connection refused"));
        }
        self.inner.start(options).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        self.inner.receive(max).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        self.inner.settle(settlements).await
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.inner.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_and_a_broker_that_come_up_later_are_waited_for() {
    let world = World::new(Faults::default());
    world.publish(2, 3).await;
    let ((opened, opens), (started, is_up)) = (after(3), after(2));
    let late = Late {
        inner: world.broker.consumer(),
        is_up,
    };
    let store = HookedStore::new(&world.store).opens(opens);
    let worker = world.start("w1", |worker| worker.store(store).transport(late));
    world
        .until("all handled", |world| world.handled() == 6)
        .await;
    worker.stop().await;
    assert_eq!(opened.load(Ordering::Relaxed), 4);
    assert_eq!(started.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn they_are_waited_for_no_longer_than_the_setting_says() {
    for (timeout, attempts) in [(Duration::ZERO, 1..=1), (Duration::from_secs(10), 5..=20)] {
        let world = World::new(Faults::default());
        let (opened, opens) = after(u32::MAX);
        let worker = world
            .worker()
            .store(HookedStore::new(&world.store).opens(opens));
        let begun = Instant::now();
        let ended = worker
            .connect_timeout(timeout)
            .run_until(std::future::pending())
            .await;
        let error = ended.unwrap_err();
        assert!(matches!(error, WorkerError::Store(_)), "{error}");
        assert_eq!(format!("{error:?}"), "the store: connection refused");
        assert_eq!(begun.elapsed().as_secs(), timeout.as_secs());
        let made = opened.load(Ordering::Relaxed);
        assert!(attempts.contains(&made), "{made} attempts");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_wait() {
    let world = World::new(Faults::default());
    let (_, opens) = after(u32::MAX);
    let (_, is_up) = after(u32::MAX);
    let late = Late {
        inner: world.broker.consumer(),
        is_up,
    };
    let store = HookedStore::new(&world.store).opens(opens);
    for worker in [world.worker().store(store), world.worker().transport(late)] {
        let begun = Instant::now();
        let shutdown = tokio::time::sleep(Duration::from_secs(3));
        worker.run_until(shutdown).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 3);
    }
}
