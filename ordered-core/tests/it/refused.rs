//! A store that refuses a worker for which there is nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ordered_core::transport::Faults;
use ordered_core::worker::{NotReadyReason, WorkerError};

use crate::support::hooked_store::HookedStore;
use crate::support::world::World;

#[tokio::test(start_paused = true)]
async fn a_worker_without_events_ends_when_the_store_refuses_it() {
    let world = World::new(Faults::default());
    let refused = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&refused);
    let store = HookedStore::new(&world.store).refuses(move || asked.load(Ordering::Relaxed));
    let worker = world.worker().store(store).build().unwrap();
    let health = worker.health();
    let running = tokio::spawn(worker.run_until(std::future::pending()));
    let ready = health.clone();
    world
        .until("it consumes", move |_| ready.report().is_ready())
        .await;
    refused.store(true, Ordering::Relaxed);
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, WorkerError::Store(_)), "{error}");
    let report = health.report();
    assert!(!report.is_live());
    let [NotReadyReason::Ended { error: Some(why) }] = &report.not_ready[..] else {
        panic!("{report:?}");
    };
    assert!(
        why.contains("the password is not accepted any more"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_from_the_start_ends_too() {
    let world = World::new(Faults::default());
    let store = HookedStore::new(&world.store).refuses(|| true);
    let worker = world.worker().store(store);
    let ended = worker.run_until(std::future::pending()).await;
    assert!(matches!(ended, Err(WorkerError::Store(_))), "{ended:?}");
}
