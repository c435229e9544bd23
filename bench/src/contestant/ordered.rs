//! The framework, as an application uses it.

use std::sync::Arc;

use ordered_events::{
    Amqp, HandlerError, Occurrence, RedisStore, State, Worker, WorkerBuilder, ordered_handler,
};
use uuid::Uuid;

use super::Arena;
use super::work::Work;
use crate::Failure;
use crate::event::{OrderEvent, index};
use crate::load::Contestant;

#[ordered_handler(key = "order_id", seq = "seq", id = "event_id")]
async fn handle(event: OrderEvent, State(work): State<Work>) -> Result<(), HandlerError> {
    work.run().await;
    std::hint::black_box(event);
    Ok(())
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

pub(super) async fn run(arena: &Arena) -> Result<(), Failure> {
    let job = &arena.job;
    let worker = Worker::builder();
    let worker = match job.contestant {
        Contestant::OrderedBatch => deep(worker.handler(handle_batch), job.prefetch),
        Contestant::OrderedWindow => {
            deep(worker.handler(handle).commit_window(WINDOW), job.prefetch)
        }
        _ => worker.handler(handle),
    };
    let meter = Arc::clone(&arena.meter);
    let store = RedisStore::builder(&job.redis).buckets(job.buckets);
    let store = store.connect().await?;
    worker
        .store(store)
        .transport(Amqp::connect(&job.amqp).queue(&job.queue).await?)
        .state(arena.work.clone())
        .group(&job.group)
        .concurrency(job.concurrency)
        .read_ahead(job.prefetch.into())
        .dedup_ttl(job.dedup_ttl)
        .observe(move |occurrence| match occurrence {
            Occurrence::Received { .. } => meter.received(1),
            Occurrence::Committed { event, .. } => {
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
