//! Bare consumers of a topic of Kafka.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Message};

use super::{SubjectContext, by_hand};
use crate::Failure;
use crate::event::{OrderEvent, index};

/// As often as the framework does.
const COMMIT: Duration = Duration::from_millis(200);

fn consumer(context: &SubjectContext) -> Result<StreamConsumer, Failure> {
    let servers = context.job.transport.trim_start_matches("kafka://");
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", &context.job.group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .create()?;
    consumer.subscribe(&[&context.job.queue])?;
    Ok(consumer)
}

/// Commits what was handed out, now and then.
struct Commits<'a> {
    consumer: &'a StreamConsumer,
    last: Instant,
}

impl Commits<'_> {
    fn now_and_then(&mut self) -> Result<(), Failure> {
        if self.last.elapsed() > COMMIT {
            self.consumer.commit_consumer_state(CommitMode::Async)?;
            self.last = Instant::now();
        }
        Ok(())
    }
}

/// The least that a consumer can do: it reads each event, and commits the prefix.
pub(super) async fn floor(context: &SubjectContext) -> Result<(), Failure> {
    let consumer = consumer(context)?;
    let mut commits = Commits {
        consumer: &consumer,
        last: Instant::now(),
    };
    let mut chunks = consumer
        .stream()
        .ready_chunks(usize::from(context.job.prefetch) / 2);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk.ok_or("the client ended the consumer")?,
            () = context.stopped() => return Ok(()),
        };
        let count = chunk.len() as u64;
        context.meter.received(count);
        for message in chunk {
            let message = message?;
            let event: OrderEvent = serde_json::from_slice(body(&message))?;
            context.meter.arrived(index(&event.event_id));
            std::hint::black_box(event);
        }
        commits.now_and_then()?;
        context.meter.done(count);
    }
}

/// The recipe, 64 events at a time.
pub(super) async fn by_hand(context: &SubjectContext) -> Result<(), Failure> {
    let client = redis::Client::open(context.job.redis.as_str())?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    let consumer = consumer(context)?;
    let mut commits = Commits {
        consumer: &consumer,
        last: Instant::now(),
    };
    let mut chunks = consumer.stream().ready_chunks(by_hand::AT_A_TIME);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk.ok_or("the client ended the consumer")?,
            () = context.stopped() => return Ok(()),
        };
        let chunk: Vec<BorrowedMessage<'_>> = chunk.into_iter().collect::<Result<_, _>>()?;
        context.meter.received(chunk.len() as u64);
        let bodies: Vec<&[u8]> = chunk.iter().map(body).collect();
        by_hand::batch(context, &mut redis, &bodies).await?;
        commits.now_and_then()?;
        context.meter.done(chunk.len() as u64);
    }
}

fn body<'a>(message: &'a BorrowedMessage<'_>) -> &'a [u8] {
    message.payload().unwrap_or_default()
}
