//! The framework, as an application uses it.

use std::sync::Arc;

use ordered_events::{
    HandlerError, RedisStore, State, Worker, WorkerBuilder, WorkerEvent, ordered_handler,
};
use uuid::Uuid;

use super::work::Work;
use super::{SubjectContext, orders};
use crate::Failure;
use crate::event::{OrderEvent, index};
use crate::load::{FAILING_KEYS, Subject};

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

/// How many events may be ahead of their commits, for the subject that runs ahead.
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
    if is_failing_index(index(&event.event_id)) {
        return Err("no luck".into());
    }
    std::hint::black_box(event);
    Ok(())
}

fn is_failing_index(index: u64) -> bool {
    index > u64::MAX - u64::from(FAILING_KEYS)
}

fn is_failing_event(id: &str) -> bool {
    Uuid::try_parse(id).is_ok_and(|id| is_failing_index(index(&id)))
}

pub(super) async fn run(context: &SubjectContext) -> Result<(), Failure> {
    let prefetch = context.job.prefetch;
    let worker = Worker::builder();
    let worker = match context.job.subject {
        Subject::OrderedBatch => deep(worker.handler(handle_batch), prefetch),
        Subject::OrderedWindow => deep(worker.handler(handle).commit_window(WINDOW), prefetch),
        Subject::OrderedArrival => worker.handler(orders::in_arrival),
        Subject::OrderedMonotonic => worker.handler(orders::in_monotonic),
        Subject::OrderedCausal => worker.handler(orders::in_causal),
        Subject::OrderedLamport => worker.handler(orders::in_lamport),
        _ => worker.handler(handle),
    };
    work(context, worker, false).await
}

pub(super) async fn run_backing_off(context: &SubjectContext) -> Result<(), Failure> {
    work(context, Worker::builder().handler(handle_some), true).await
}

/// With failing_events, their deliveries are not counted: the time runs from the first of the others.
async fn work(
    context: &SubjectContext,
    worker: WorkerBuilder,
    has_failing_keys: bool,
) -> Result<(), Failure> {
    let job = &context.job;
    let meter = Arc::clone(&context.meter);
    let store = RedisStore::builder(&job.redis).buckets(job.buckets);
    let store = store.connect().await?;
    worker
        .store(store)
        .shared_transport(ordered_events::transport(&job.transport, &job.queue).await?)
        .state(context.work.clone())
        .group(&job.group)
        .concurrency(job.concurrency)
        .read_ahead(job.prefetch.into())
        .dedup_ttl(job.dedup_ttl)
        .observe(move |worker_event| match worker_event {
            WorkerEvent::Received { event, .. }
                if has_failing_keys && is_failing_event(event.id.as_str()) => {}
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
        .run_until(context.stopped())
        .await?;
    Ok(())
}
