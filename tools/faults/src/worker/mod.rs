//! The worker process: an application like any other, which writes down what it does.

mod handler;
mod handler_faults;
mod pace;
mod store;

use ordered_events::core::internal::wall_clock;
use ordered_events::{
    Amqp, Backoff, Kafka, RedisStore, Transport, Worker, WorkerEvent, shutdown_signal,
};
use ordered_testkit::history::{Event, What};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::environment::address;
use crate::journal::Journal;
use crate::order::seq_of;
use crate::orders::Sequencing;
pub(crate) use handler::run_handler;
pub use handler_faults::HandlerFaults;
pub(crate) use pace::AHEAD;
pub use pace::Pace;

/// How long a worker's claims outlive it. Short, so that what a lease costs is seen often.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
pub(crate) const SWEEP: Duration = Duration::from_millis(500);
/// What goes over several buckets is to be seen too.
pub(crate) const BUCKETS: u32 = 3;
/// How long a handler may run.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a worker waits for Redis.
pub(crate) const ANSWER: Duration = Duration::from_secs(1);
/// The longest pause between attempts to reach RabbitMQ.
pub(crate) const RECONNECT: Duration = Duration::from_secs(1);
/// How often RabbitMQ and a worker look whether the other is still there; twice that is too long.
pub(crate) const AMQP_HEARTBEAT: u64 = 3;

/// How often a worker looks whether it has more than its share of the partitions of RabbitMQ, and how long it waits
/// until what it has of one is settled.
pub(crate) const REBALANCE: Duration = Duration::from_secs(1);

/// How soon a group of Kafka gives up a worker that says nothing.
pub(crate) const KAFKA_SESSION: Duration = Duration::from_secs(3);
/// What `ordered-kafka` tells the client.
pub(crate) const KAFKA_RECONNECT: Duration = Duration::from_secs(2);

/// What a worker process is told, in JSON as its only argument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkerConfig {
    pub(crate) id: String,
    pub(crate) redis: String,
    pub(crate) transport: String,
    pub(crate) queue: String,
    /// Of RabbitMQ; 0 where there is one queue.
    pub(crate) partitions: u16,
    pub(crate) group: String,
    pub(crate) sequencing: Sequencing,
    pub(crate) journal: PathBuf,
    pub(crate) handler_faults: HandlerFaults,
    pub(crate) pace: Pace,
}

/// Works until it is asked to stop, or its starter is gone.
///
/// # Errors
/// When a server is not there at the start, or refuses.
pub async fn work(config: WorkerConfig) -> Result<(), Error> {
    std::thread::spawn(exit_with_parent);
    println!("wall {}", wall_clock());
    let journal = Journal::open(&config.journal)?;
    let store = RedisStore::builder(&config.redis)
        .buckets(BUCKETS)
        .timeout(ANSWER)
        .connect()
        .await?;
    let (url, queue) = (&config.transport, &config.queue);
    let transport: Arc<dyn Transport> = if url.starts_with("kafka://") {
        Arc::new(Kafka::connect(url).topic(queue).await?)
    } else {
        let amqp = Amqp::connect(address(url, config.partitions)).queue(queue);
        Arc::new(
            amqp.rebalance_interval(REBALANCE)
                .reconnect_backoff(Duration::from_millis(100), RECONNECT)
                .await?,
        )
    };
    let (id, journal_of_commits) = (config.id.clone(), journal.clone());
    config
        .sequencing
        .handled_by(Worker::builder(), config.pace)
        .id(config.id)
        .store(store::Watched {
            inner: Arc::new(store),
            journal: journal.clone(),
        })
        .shared_transport(transport)
        .group(config.group)
        .lease(LEASE)
        .sweep_interval(SWEEP)
        .timeout(TIMEOUT)
        .backoff(Backoff {
            base: Duration::from_millis(50),
            cap: Duration::from_millis(500),
        })
        .drain_timeout(Duration::from_secs(10))
        // No key is to halt for faults that are none of its own.
        .give_up_after(None)
        .max_crashes(1_000)
        .concurrency(64)
        .read_ahead(1_024)
        .state(config.handler_faults)
        .state(journal)
        .observe(move |worker_event| {
            if let WorkerEvent::Committed { event, .. } = worker_event {
                journal_of_commits.write(What::Committed {
                    event: Event {
                        key: event.key.as_str().to_owned(),
                        seq: seq_of(event.id.as_str()),
                        id: event.id.as_str().to_owned(),
                    },
                    worker: id.clone(),
                });
            }
        })
        .run_until(shutdown_signal())
        .await?;
    Ok(())
}

/// The starter holds the other end of the standard input for as long as it lives.
pub(crate) fn exit_with_parent() {
    let mut input = std::io::stdin();
    while !matches!(input.read(&mut [0; 64]), Ok(0) | Err(_)) {}
    std::process::exit(3);
}
