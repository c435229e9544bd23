//! Bare consumers of a topic of Kafka.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Message};

use super::{Arena, by_hand};
use crate::Failure;
use crate::event::{OrderEvent, index};

/// As often as the framework does.
const COMMIT: Duration = Duration::from_millis(200);

fn consumer(arena: &Arena) -> Result<StreamConsumer, Failure> {
    let servers = arena.job.transport.trim_start_matches("kafka://");
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", &arena.job.group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .create()?;
    consumer.subscribe(&[&arena.job.queue])?;
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
pub(super) async fn floor(arena: &Arena) -> Result<(), Failure> {
    let consumer = consumer(arena)?;
    let mut commits = Commits {
        consumer: &consumer,
        last: Instant::now(),
    };
    let mut chunks = consumer
        .stream()
        .ready_chunks(usize::from(arena.job.prefetch) / 2);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk.ok_or("the client ended the consumer")?,
            () = arena.stopped() => return Ok(()),
        };
        let count = chunk.len() as u64;
        arena.meter.received(count);
        for message in chunk {
            let message = message?;
            let event: OrderEvent = serde_json::from_slice(body(&message))?;
            arena.meter.arrived(index(&event.event_id));
            std::hint::black_box(event);
        }
        commits.now_and_then()?;
        arena.meter.done(count);
    }
}

/// The recipe, 64 events at a time.
pub(super) async fn by_hand(arena: &Arena) -> Result<(), Failure> {
    let client = redis::Client::open(arena.job.redis.as_str())?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    let consumer = consumer(arena)?;
    let mut commits = Commits {
        consumer: &consumer,
        last: Instant::now(),
    };
    let mut chunks = consumer.stream().ready_chunks(by_hand::AT_A_TIME);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk.ok_or("the client ended the consumer")?,
            () = arena.stopped() => return Ok(()),
        };
        let chunk: Vec<BorrowedMessage<'_>> = chunk.into_iter().collect::<Result<_, _>>()?;
        arena.meter.received(chunk.len() as u64);
        let bodies: Vec<&[u8]> = chunk.iter().map(body).collect();
        by_hand::batch(arena, &mut redis, &bodies).await?;
        commits.now_and_then()?;
        arena.meter.done(chunk.len() as u64);
    }
}

fn body<'a>(message: &'a BorrowedMessage<'_>) -> &'a [u8] {
    message.payload().unwrap_or_default()
}
