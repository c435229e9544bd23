//! The recipe that people write: mark the id with `SET NX EX`, compare with `last_seq`, handle, write `last_seq`,
//! acknowledge. Here in its fastest form, 64 events at a time, two round trips for all of them. It handles an event
//! at most once and does not say so, lets two workers run one key, and has no answer to an event that is early.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use redis::aio::MultiplexedConnection;

use super::SubjectContext;
use crate::Failure;
use crate::event::{OrderEvent, index};

pub(super) const AT_A_TIME: usize = 64;
const REMEMBER_SECONDS: u64 = 24 * 60 * 60;

pub(super) async fn run(context: &SubjectContext) -> Result<(), Failure> {
    let client = redis::Client::open(context.job.redis.as_str())?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    let (_connection, consumer) = context.consume().await?;
    let mut chunks = consumer.ready_chunks(AT_A_TIME);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk.ok_or("the broker ended the consumer")?,
            () = context.stopped() => return Ok(()),
        };
        let chunk: Vec<Delivery> = chunk.into_iter().collect::<Result<_, _>>()?;
        context.meter.received(chunk.len() as u64);
        let bodies: Vec<&[u8]> = chunk.iter().map(|delivery| &delivery.data[..]).collect();
        batch(context, &mut redis, &bodies).await?;
        if let Some(last) = chunk.last() {
            last.ack(BasicAckOptions { multiple: true }).await?;
        }
        context.meter.done(chunk.len() as u64);
    }
}

pub(super) async fn batch(
    context: &SubjectContext,
    redis: &mut MultiplexedConnection,
    bodies: &[&[u8]],
) -> Result<(), Failure> {
    let events: Vec<OrderEvent> = bodies
        .iter()
        .map(|body| serde_json::from_slice(body))
        .collect::<Result<_, _>>()?;
    let group = &context.job.group;
    let last_seq = |event: &OrderEvent| format!("{group}:last:{}", event.order_id);
    let mut looks = redis::pipe();
    for event in &events {
        looks
            .cmd("SET")
            .arg(format!("{group}:id:{}", event.event_id))
            .arg(1)
            .arg("NX")
            .arg("EX")
            .arg(REMEMBER_SECONDS);
        looks.cmd("GET").arg(last_seq(event));
    }
    context.meter.round_trip();
    let seen = pairs(looks.query_async(redis).await?)?;
    let mut lasts: HashMap<&str, u64> = HashMap::new();
    let mut runs = Vec::new();
    let mut writes = redis::pipe();
    for (event, (fresh, last)) in events.iter().zip(seen) {
        if fresh.is_none() {
            continue;
        }
        let last = lasts
            .entry(&event.order_id)
            .or_insert_with(|| last.unwrap_or(0));
        if event.seq != *last + 1 {
            return Err(format!("event {} of {} is early", event.seq, event.order_id).into());
        }
        *last = event.seq;
        runs.push(context.work.run());
        writes
            .cmd("SET")
            .arg(last_seq(event))
            .arg(event.seq)
            .ignore();
    }
    join_all(runs).await;
    context.meter.round_trip();
    let () = writes.query_async(redis).await?;
    if context.meter.has_schedule() {
        events
            .iter()
            .for_each(|event| context.meter.arrived(index(&event.event_id)));
    }
    Ok(())
}

/// Whether the id was new, and the last seq of the key, if it has one.
type Seen = (Option<String>, Option<u64>);

fn pairs(values: Vec<redis::Value>) -> Result<Vec<Seen>, Failure> {
    let mut pairs = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(set), Some(last)) = (values.next(), values.next()) {
        pairs.push((
            redis::from_redis_value(set)?,
            redis::from_redis_value(last)?,
        ));
    }
    Ok(pairs)
}
