//! The strategy "sequence numbers and an idempotent consumer": many producers write events of one entity, so none of
//! them can number by itself. A sequencer on Redis gives each event the next number of its key, and the consumer puts
//! them in order and drops what comes twice.
//!
//! They go over RabbitMQ, to partitions of a queue. The partitions keep nearly all events of an order with one worker,
//! which costs the store less. The order would be the same without them.
//!
//! `cargo run --example many_producers` starts a RabbitMQ and a Redis for itself, if they are installed
//! (`scripts/install-servers`).

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use examples::{Outcome, RunningWorker, Tally, end, log};
use ordered_events::core::transport::TransportError;
use ordered_events::{
    Amqp, NewEvent, Outgoing, Publish, RedisStore, Sequencer, Worker, WorkerBuilder,
    ordered_handler,
};
use ordered_testkit::server::{RabbitServer, RedisServer};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;

const PRODUCERS: u64 = 4;
const ORDERS: u64 = 10;
/// How many events each producer writes for each order.
const EVENTS: u64 = 25;
const PARTITIONS: u16 = 4;
const QUEUE: &str = "orders";

#[derive(Serialize, Deserialize)]
struct OrderChanged {
    producer: u64,
}

#[ordered_handler(
    key = "header:x-ordered-key",
    seq = "header:x-ordered-seq",
    id = "header:x-ordered-id",
    group = "many-producers"
)]
async fn apply(_event: OrderChanged) {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// A connection that loses confirms: what nobody knows to have arrived is sent again.
struct Unreliable<P> {
    broker: P,
    sent: AtomicUsize,
    again: Arc<AtomicUsize>,
}

#[async_trait]
impl<P: Publish> Publish for Unreliable<P> {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let outcomes = self.broker.send(events).await;
        let mut again = Vec::new();
        for event in events {
            if self.sent.fetch_add(1, Ordering::Relaxed) % 10 == 9 {
                again.push(event.clone());
            }
        }
        self.again.fetch_add(again.len(), Ordering::Relaxed);
        self.broker.send(&again).await;
        outcomes
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    log(LevelFilter::ERROR);
    end(demonstrate().await)
}

async fn demonstrate() -> Outcome {
    let (rabbit, redis) = tokio::try_join!(RabbitServer::start(), RedisServer::start())?;
    println!("A RabbitMQ with a queue of {PARTITIONS} partitions, and a Redis.\n");
    let (tally, again) = (Tally::default(), Arc::new(AtomicUsize::new(0)));
    let queue = || {
        Amqp::connect(rabbit.url())
            .queue(QUEUE)
            .partitions(PARTITIONS)
    };
    let worker = async || -> Outcome<WorkerBuilder> {
        let counted = tally.clone();
        Ok(Worker::builder()
            .store(RedisStore::connect(&redis.url()).await?)
            .transport(queue().await?)
            .handler(apply)
            .observe(move |worker_event| counted.count(worker_event)))
    };
    let workers = [
        RunningWorker::start(worker().await?),
        RunningWorker::start(worker().await?),
    ];

    println!(
        "{PRODUCERS} producers write {EVENTS} events of each of {ORDERS} orders, at the same time. Of each tenth the \
         confirm is lost, and it is sent again."
    );
    let mut producers = Vec::new();
    for number in 1..=PRODUCERS {
        let broker = Unreliable {
            broker: queue().publisher().await?,
            sent: AtomicUsize::new(0),
            again: Arc::clone(&again),
        };
        let store = RedisStore::connect(&redis.url()).await?;
        let sequencer = Sequencer::builder(&store, QUEUE, Arc::new(broker));
        producers.push(tokio::spawn(produce(sequencer.connect().await?, number)));
    }
    let mut sequencers = Vec::new();
    for producer in producers {
        sequencers.push(producer.await??);
    }
    let total = usize::try_from(PRODUCERS * ORDERS * EVENTS)?;
    tally.until(|counts| counts.committed >= total).await;
    // What one has staged another one may publish, so all of them stay until it is done.
    for sequencer in sequencers {
        sequencer.close().await;
    }
    for worker in workers {
        worker.stop().await?;
    }

    let counts = tally.counts();
    println!("Two workers handled them:\n");
    for (order, numbers) in &counts.numbers {
        println!("{order}: {} events", numbers.len());
    }
    println!(
        "\n{} events were staged, {} of them sent twice: {} handled, {} dropped as duplicates, {} held because they \
         came too early.",
        total,
        again.load(Ordering::Relaxed),
        counts.committed,
        counts.duplicates,
        counts.held
    );
    let wrong = counts.wrong(PRODUCERS * EVENTS);
    if wrong.is_empty() && counts.numbers.len() as u64 == ORDERS {
        println!("Each order was handled in order, each event once.");
        Ok(())
    } else {
        Err(format!("not in order, or not once: {}", wrong.join(", ")).into())
    }
}

async fn produce(sequencer: Sequencer, number: u64) -> Outcome<Sequencer> {
    for _ in 0..EVENTS {
        for order in 1..=ORDERS {
            let changed = OrderChanged { producer: number };
            let order = format!("order-{order}");
            sequencer
                .stage(&NewEvent::json("order", order, "changed", &changed)?)
                .await?;
        }
    }
    Ok(sequencer)
}
