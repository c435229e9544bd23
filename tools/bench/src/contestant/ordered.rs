//! The framework, as an application uses it.

use std::sync::Arc;

use ordered_events::{
    HandlerError, RedisStore, State, Worker, WorkerBuilder, WorkerEvent, ordered_handler,
};
use uuid::Uuid;

use super::work::Work;
use super::{Arena, orders};
use crate::Failure;
use crate::event::{OrderEvent, index};
use crate::load::{Contestant, TROUBLED};

#[ordered_handler(key = "order_id", seq = "seq", id = "event_id")]
async fn handle(event: OrderEvent, State(work): State<Work>) -> Result<(), HandlerError> {
    work.on(event).await
}

#[ordered_handler(key = "order_id", seq = "seq", id = "event_id", batch = 100)]
async fn handle_batch(
    events: Vec<OrderEvent>,
    State(work): State<Work>,
) -> Result<(), HandlerError> {
    for event in events {
        work.run().await;
        std::hint::black_box(event);
    }
    Ok(())
}

/// How many events may be ahead of their commits, for the contestant that runs ahead.
const WINDOW: u32 = 100;

/// One key is all there is, so that it may have all that the broker hands over.
fn deep(worker: WorkerBuilder, prefetch: u16) -> WorkerBuilder {
    worker.options(move |options| options.policy.lane_depth = prefetch.into())
}

/// Is never done with the events of some keys: each waits a random time of up to ten seconds, the longest by default,
/// and fails again. Everything else is on its defaults.
#[ordered_handler(
    key = "order_id",
    seq = "seq",
    id = "event_id",
    give_up_after = "never",
    backoff = "10s"
)]
async fn handle_some(event: OrderEvent, State(work): State<Work>) -> Result<(), HandlerError> {
    work.run().await;
    if is_troubles(index(&event.event_id)) {
        return Err("no luck".into());
    }
    std::hint::black_box(event);
    Ok(())
}

fn is_troubles(index: u64) -> bool {
    index > u64::MAX - u64::from(TROUBLED)
}

fn is_trouble(id: &str) -> bool {
    Uuid::try_parse(id).is_ok_and(|id| is_troubles(index(&id)))
}

pub(super) async fn run(arena: &Arena) -> Result<(), Failure> {
    let prefetch = arena.job.prefetch;
    let worker = Worker::builder();
    let worker = match arena.job.contestant {
        Contestant::OrderedBatch => deep(worker.handler(handle_batch), prefetch),
        Contestant::OrderedWindow => deep(worker.handler(handle).commit_window(WINDOW), prefetch),
        Contestant::OrderedArrival => worker.handler(orders::in_arrival),
        Contestant::OrderedMonotonic => worker.handler(orders::in_monotonic),
        Contestant::OrderedCausal => worker.handler(orders::in_causal),
        Contestant::OrderedLamport => worker.handler(orders::in_lamport),
        _ => worker.handler(handle),
    };
    work(arena, worker, false).await
}

pub(super) async fn run_in_trouble(arena: &Arena) -> Result<(), Failure> {
    work(arena, Worker::builder().handler(handle_some), true).await
}

/// With troubles, their deliveries are not counted: the time runs from the first of the others.
async fn work(arena: &Arena, worker: WorkerBuilder, has_troubles: bool) -> Result<(), Failure> {
    let job = &arena.job;
    let meter = Arc::clone(&arena.meter);
    let store = RedisStore::builder(&job.redis).buckets(job.buckets);
    let store = store.connect().await?;
    worker
        .store(store)
        .shared_transport(ordered_events::transport(&job.transport, &job.queue).await?)
        .state(arena.work.clone())
        .group(&job.group)
        .concurrency(job.concurrency)
        .read_ahead(job.prefetch.into())
        .dedup_ttl(job.dedup_ttl)
        .observe(move |occurrence| match occurrence {
            WorkerEvent::Received { event, .. }
                if has_troubles && is_trouble(event.id.as_str()) => {}
            WorkerEvent::Received { .. } => meter.received(1),
            // Of versions an older one is done as well.
            WorkerEvent::Superseded { .. } => meter.done(1),
            WorkerEvent::Committed { event, .. } => {
                meter.done(1);
                if meter.has_schedule()
                    && let Ok(id) = Uuid::try_parse(event.id.as_str())
                {
                    meter.arrived(index(&id));
                }
            }
            _ => {}
        })
        .run_until(arena.stopped())
        .await?;
    Ok(())
}
