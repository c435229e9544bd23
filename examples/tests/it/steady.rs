use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ordered_events::core::transport::{ConsumeOptions, Delivery, Settlement, TransportError};
use ordered_events::{
    Context, Envelope, MemoryBroker, MemoryTransport, Publish, RedisStore, Transport, Worker,
    ordered_handler,
};
use ordered_testkit::server::RedisServer;
use serde::Deserialize;
use tokio::sync::Notify;

#[derive(Deserialize)]
struct Step {
    key: u32,
    seq: u64,
}

#[ordered_handler(key = "key", seq = "seq")]
async fn nothing(_event: Step, _context: Context) {}

/// Counts the batches that come in.
struct Counting {
    inner: MemoryTransport,
    batches: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for Counting {
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        self.inner.start(options).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let deliveries = self.inner.receive(max).await?;
        self.batches.fetch_add(1, Ordering::SeqCst);
        Ok(deliveries)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        self.inner.settle(settlements).await
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.inner.close().await
    }
}

/// How often scripts were called, by the server's own count.
async fn script_calls(redis: &RedisServer) -> u64 {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut connection)
        .await
        .unwrap();
    let calls = |command: &str| -> u64 {
        let line = stats
            .lines()
            .find(|line| line.starts_with(&format!("cmdstat_{command}:calls=")));
        let number = line.and_then(|line| line.split(['=', ',']).nth(1));
        number.map_or(0, |number| number.parse().unwrap())
    };
    calls("evalsha") + calls("eval")
}

#[tokio::test(flavor = "multi_thread")]
async fn round_trips_are_per_batch_not_per_event() {
    const EVENTS: usize = 10_000;
    const KEYS: usize = 200;
    let redis = RedisServer::start().await.unwrap();
    // With one bucket a batch is one script call, so that the server's count of calls is the number of round trips.
    let store = RedisStore::builder(redis.url())
        .buckets(1)
        .connect()
        .await
        .unwrap();
    let broker = MemoryBroker::new();
    let event = |place: usize| {
        Envelope::new(format!(
            r#"{{"key": {}, "seq": {}}}"#,
            place % KEYS,
            place / KEYS + 1
        ))
    };
    broker
        .publish((0..EVENTS).map(event).collect())
        .await
        .unwrap();
    let batches = Arc::new(AtomicUsize::new(0));
    let (done, left) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(EVENTS)));
    let finished = Arc::clone(&done);
    Worker::builder()
        .store(store)
        .transport(Counting {
            inner: broker.consumer(),
            batches: Arc::clone(&batches),
        })
        .handler(nothing)
        .concurrency(256)
        .observe(move |worker_event| {
            if let ordered_events::WorkerEvent::Committed { .. } = worker_event
                && left.fetch_sub(1, Ordering::SeqCst) == 1
            {
                finished.notify_one();
            }
        })
        .run_until(async move { done.notified().await })
        .await
        .unwrap();
    let (calls, batches) = (
        script_calls(&redis).await,
        batches.load(Ordering::SeqCst) as u64,
    );
    println!(
        "{EVENTS} events in {batches} batches took {calls} script calls, heartbeats and sweeps among them"
    );
    assert!(
        calls < EVENTS as u64 / 20,
        "{calls} calls are not a few per batch"
    );
    // One for the offers, one for the commits, and some for heartbeats and sweeps.
    assert!(
        calls <= 2 * batches + 40,
        "{calls} calls for {batches} batches"
    );
}
