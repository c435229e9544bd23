//! Consumers without order, memory or a second chance.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;

use super::Arena;
use crate::Failure;
use crate::event::{OrderEvent, index};

/// The least that a consumer can do: it reads each event, and acknowledges all that was there at once.
pub(super) async fn floor(arena: &Arena) -> Result<(), Failure> {
    if !arena.work.is_nothing() {
        return side_by_side(arena).await;
    }
    let (_connection, consumer) = arena.consume().await?;
    let mut chunks = consumer.ready_chunks(usize::from(arena.job.prefetch) / 2);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk.ok_or("the broker ended the consumer")?,
            () = arena.stopped() => return Ok(()),
        };
        arena.meter.received(chunk.len() as u64);
        let mut last = None;
        let count = chunk.len() as u64;
        for delivery in chunk {
            let delivery = delivery?;
            read(arena, &delivery)?;
            last = Some(delivery);
        }
        if let Some(delivery) = last {
            delivery.ack(BasicAckOptions { multiple: true }).await?;
        }
        arena.meter.done(count);
    }
}

/// What most people run.
pub(super) async fn per_message(arena: &Arena) -> Result<(), Failure> {
    let (_connection, mut consumer) = arena.consume().await?;
    loop {
        let delivery = tokio::select! {
            delivery = consumer.next() => delivery.ok_or("the broker ended the consumer")??,
            () = arena.stopped() => return Ok(()),
        };
        arena.meter.received(1);
        read(arena, &delivery)?;
        arena.work.run().await;
        delivery.ack(BasicAckOptions::default()).await?;
        arena.meter.done(1);
    }
}

/// With a handler that waits: as many at a time as the others may have, and an acknowledgement for each.
async fn side_by_side(arena: &Arena) -> Result<(), Failure> {
    let (_connection, consumer) = arena.consume().await?;
    let handle = async |delivery: lapin::Result<Delivery>| -> Result<(), Failure> {
        let delivery = delivery?;
        arena.meter.received(1);
        read(arena, &delivery)?;
        arena.work.run().await;
        delivery.ack(BasicAckOptions::default()).await?;
        arena.meter.done(1);
        Ok(())
    };
    let mut handled = consumer.map(handle).buffer_unordered(arena.job.concurrency);
    loop {
        tokio::select! {
            handled = handled.next() => handled.ok_or("the broker ended the consumer")??,
            () = arena.stopped() => return Ok(()),
        }
    }
}

fn read(arena: &Arena, delivery: &Delivery) -> Result<(), Failure> {
    let event: OrderEvent = serde_json::from_slice(&delivery.data)?;
    arena.meter.arrived(index(&event.event_id));
    std::hint::black_box(event);
    Ok(())
}
