//! Consumers without order, memory or a second chance.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;

use super::SubjectContext;
use crate::Failure;
use crate::event::{OrderEvent, index};

/// The least that a consumer can do: it reads each event, and acknowledges all that was there at once.
pub(super) async fn floor(context: &SubjectContext) -> Result<(), Failure> {
    if !context.work.is_nothing() {
        return side_by_side(context).await;
    }
    let (_connection, consumer) = context.consume().await?;
    let mut chunks = consumer.ready_chunks(usize::from(context.job.prefetch) / 2);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk.ok_or("the broker ended the consumer")?,
            () = context.stopped() => return Ok(()),
        };
        context.meter.received(chunk.len() as u64);
        let mut last = None;
        let count = chunk.len() as u64;
        for delivery in chunk {
            let delivery = delivery?;
            read(context, &delivery)?;
            last = Some(delivery);
        }
        if let Some(delivery) = last {
            delivery.ack(BasicAckOptions { multiple: true }).await?;
        }
        context.meter.done(count);
    }
}

/// What most people run.
pub(super) async fn per_message(context: &SubjectContext) -> Result<(), Failure> {
    let (_connection, mut consumer) = context.consume().await?;
    loop {
        let delivery = tokio::select! {
            delivery = consumer.next() => delivery.ok_or("the broker ended the consumer")??,
            () = context.stopped() => return Ok(()),
        };
        context.meter.received(1);
        read(context, &delivery)?;
        context.work.run().await;
        delivery.ack(BasicAckOptions::default()).await?;
        context.meter.done(1);
    }
}

/// With a handler that waits: as many at a time as the others may have, and an acknowledgement for each.
async fn side_by_side(context: &SubjectContext) -> Result<(), Failure> {
    let (_connection, consumer) = context.consume().await?;
    let handle = async |delivery: lapin::Result<Delivery>| -> Result<(), Failure> {
        let delivery = delivery?;
        context.meter.received(1);
        read(context, &delivery)?;
        context.work.run().await;
        delivery.ack(BasicAckOptions::default()).await?;
        context.meter.done(1);
        Ok(())
    };
    let mut handled = consumer
        .map(handle)
        .buffer_unordered(context.job.concurrency);
    loop {
        tokio::select! {
            handled = handled.next() => handled.ok_or("the broker ended the consumer")??,
            () = context.stopped() => return Ok(()),
        }
    }
}

fn read(context: &SubjectContext, delivery: &Delivery) -> Result<(), Failure> {
    let event: OrderEvent = serde_json::from_slice(&delivery.data)?;
    context.meter.arrived(index(&event.event_id));
    std::hint::black_box(event);
    Ok(())
}
