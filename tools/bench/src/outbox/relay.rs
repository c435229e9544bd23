use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use ordered_events::core::publish::Outgoing;
use ordered_events::core::transport::TransportError;
use ordered_events::postgres::Relay;
use ordered_events::{Amqp, Envelope, Publish};
use ordered_testkit::server::RabbitServer;
use ordered_testkit::unique;
use tokio::sync::Notify;
use tokio_postgres::Client;

use super::{body, rate};
use crate::Failure;

/// How many events are published together, as the relay does by default.
const BATCH: usize = 2_000;

/// Counts, and hands on.
struct Counter {
    inner: Option<Arc<dyn Publish>>,
    events: AtomicUsize,
    until: usize,
    done: Notify,
    /// When the first batch was there, and how many events were in it: what comes before is connecting.
    first: OnceLock<(Instant, usize)>,
}

#[async_trait]
impl Publish for Counter {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let count = events.len();
        self.first.get_or_init(|| (Instant::now(), count));
        let outcomes = match &self.inner {
            Some(inner) => inner.send(events).await,
            None => events.iter().map(|_| Ok(())).collect(),
        };
        let confirmed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        if self.events.fetch_add(confirmed, Ordering::Relaxed) + confirmed >= self.until {
            self.done.notify_one();
        }
        outcomes
    }
}

/// Reads what waits with COPY, as it is, and throws it away.
pub(super) async fn copied(client: &Client, events: usize) -> Result<f64, Failure> {
    let query = format!(
        "copy (select outbox.xid, outbox.position, outbox.shard, outbox.aggregate_id, outbox.seq, outbox.id, \
         outbox.aggregate_type, outbox.event_type, outbox.payload, outbox.headers, outbox.trace, outbox.created_at \
         from ordered_outbox outbox where (outbox.xid, outbox.position) > (select xid, position from \
         ordered_relay_shards limit 1) limit {events}) to stdout (format binary)"
    );
    let begun = Instant::now();
    let mut stream = pin!(client.copy_out(&query).await?);
    let mut rows = 0;
    while let Some(_row) = stream.try_next().await? {
        rows += 1;
    }
    Ok(rate(rows, begun.elapsed()))
}

/// Relays what waits to a publisher that has confirmed at once; it waits again afterwards.
pub(super) async fn to_nobody(url: &str, client: &Client, events: usize) -> Result<f64, Failure> {
    let positions = "select shard, xid::text, position from ordered_relay_shards";
    let before = client.query(positions, &[]).await?;
    let rate = relayed(url, None, events).await?;
    for row in before {
        let (shard, xid, position): (i16, String, i64) = (row.get(0), row.get(1), row.get(2));
        let back =
            "update ordered_relay_shards set xid = $2::text::xid8, position = $3 where shard = $1";
        client.execute(back, &[&shard, &xid, &position]).await?;
    }
    Ok(rate)
}

pub(super) async fn to_rabbit(
    url: &str,
    _client: &Client,
    rabbit: &RabbitServer,
    events: usize,
) -> Result<f64, Failure> {
    let publisher = publisher(rabbit).await?;
    relayed(url, Some(publisher), events).await
}

async fn relayed(
    url: &str,
    inner: Option<Arc<dyn Publish>>,
    events: usize,
) -> Result<f64, Failure> {
    let counter = Arc::new(Counter {
        inner,
        events: AtomicUsize::new(0),
        until: events,
        done: Notify::new(),
        first: OnceLock::new(),
    });
    let relay = Relay::builder(url, Arc::clone(&counter) as _)
        .batch(BATCH)
        .build()?;
    let mut ended = Instant::now();
    relay
        .run(async {
            counter.done.notified().await;
            ended = Instant::now();
        })
        .await?;
    let (begun, first) = counter.first.get().ok_or("nothing was relayed")?;
    // Published to nobody, the first batch is done when it comes; to RabbitMQ it is the smaller part.
    let events = counter.events.load(Ordering::Relaxed) - first;
    Ok(rate(events, ended - *begun))
}

/// A publisher that has nothing else to do than to wait for confirms.
pub(super) async fn bare(rabbit: &RabbitServer, events: usize) -> Result<f64, Failure> {
    let publisher = publisher(rabbit).await?;
    let envelope = |number: usize| {
        let mut envelope = Envelope::new(body(number % 1_000));
        for (name, value) in [
            ("x-ordered-key", format!("order-{}", number % 1_000)),
            ("x-ordered-seq", number.to_string()),
            (
                "x-ordered-id",
                "2f3b0f0e-6a1c-4a51-8c1b-0a6f5f1d8c3e".to_owned(),
            ),
            ("x-ordered-type", "placed".to_owned()),
            ("x-ordered-aggregate", "order".to_owned()),
        ] {
            envelope.headers.insert(name.to_owned(), value);
        }
        envelope.published_at = Some(1_700_000_000_000);
        envelope
    };
    let begun = Instant::now();
    let mut published = 0;
    while published < events {
        let batch = (published..events.min(published + BATCH)).map(envelope);
        let batch: Vec<Envelope> = batch.collect();
        published += batch.len();
        publisher.publish(batch).await?;
    }
    Ok(rate(events, begun.elapsed()))
}

async fn publisher(rabbit: &RabbitServer) -> Result<Arc<dyn Publish>, Failure> {
    let queue = unique("bench");
    let publisher = Amqp::connect(rabbit.url())
        .queue(&queue)
        .publisher()
        .await?;
    Ok(Arc::new(publisher))
}
