//! The framework, as an application uses it.

use std::sync::Arc;

use ordered_events::{
    Amqp, Handler, HandlerError, Occurrence, RedisStore, State, Worker, ordered_handler,
};
use uuid::Uuid;

use super::Arena;
use super::work::Work;
use crate::Failure;
use crate::event::{OrderEvent, index};
use crate::load::TROUBLED;

#[ordered_handler(key = "order_id", seq = "seq", id = "event_id")]
async fn handle(event: OrderEvent, State(work): State<Work>) -> Result<(), HandlerError> {
    work.run().await;
    std::hint::black_box(event);
    Ok(())
}

/// Is never done with the events of some keys. Everything else is on its defaults.
#[ordered_handler(key = "order_id", seq = "seq", id = "event_id", max_attempts = 1000000)]
async fn handle_some(event: OrderEvent, State(work): State<Work>) -> Result<(), HandlerError> {
    work.run().await;
    if index(&event.event_id) > u64::MAX - u64::from(TROUBLED) {
        return Err("no luck".into());
    }
    std::hint::black_box(event);
    Ok(())
}

pub(super) async fn run(arena: &Arena) -> Result<(), Failure> {
    work(arena, handle).await
}

pub(super) async fn run_in_trouble(arena: &Arena) -> Result<(), Failure> {
    work(arena, handle_some).await
}

async fn work(arena: &Arena, handler: impl Handler) -> Result<(), Failure> {
    let job = &arena.job;
    let meter = Arc::clone(&arena.meter);
    let store = RedisStore::builder(&job.redis).buckets(job.buckets);
    let store = store.connect().await?;
    Worker::builder()
        .store(store)
        .transport(Amqp::connect(&job.amqp).queue(&job.queue).await?)
        .state(arena.work.clone())
        .handler(handler)
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
