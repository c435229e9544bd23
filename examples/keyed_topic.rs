//! The strategy "keyed topic and partitioning": each entity has one producer, which numbers its events, and the key of
//! the record puts them into one partition. Kafka keeps their order, and gives each partition to one worker.
//!
//! What the framework adds: the order also survives what Kafka does not promise. A rebalance delivers again what was
//! under way, and a producer that sends an event again puts it behind later ones. Each event is handled once, in order.
//!
//! `cargo run --example keyed_topic --features kafka` starts a Kafka broker and a Redis for itself, if they are
//! installed (`scripts/install-servers`).

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use examples::{Outcome, RunningWorker, Tally, end, log};
use ordered_events::{
    Context, HandlerError, Kafka, OrderedEvent, Publisher, RedisStore, State, Worker,
    WorkerBuilder, ordered_handler,
};
use ordered_testkit::server::{KafkaServer, RedisServer};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;

const ORDERS: u64 = 12;
const EVENTS: u64 = 60;
const PARTITIONS: i32 = 4;
const TOPIC: &str = "orders";

#[derive(Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "order_id", id = "event_id", event_type = "changed")]
struct OrderChanged {
    order_id: String,
    seq: u64,
    event_id: String,
}

/// Which partitions the events of an order came over.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>);

#[ordered_handler(key = "order_id", seq = "seq", id = "event_id", group = "keyed-topic")]
async fn apply(
    event: OrderChanged,
    State(seen): State<Seen>,
    context: Context,
) -> Result<(), HandlerError> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    if let Some(partition) = context.headers().get("kafka.partition") {
        let mut seen = seen.0.lock().map_err(|_| "the handler panicked")?;
        let of_order = seen.entry(event.order_id).or_default();
        of_order.insert(partition.clone());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    log(LevelFilter::ERROR);
    end(demonstrate().await)
}

async fn demonstrate() -> Outcome {
    let (kafka, redis) = tokio::try_join!(KafkaServer::start(), RedisServer::start())?;
    kafka.create_topic(TOPIC, PARTITIONS, &[]).await?;
    println!("A Kafka broker with a topic of {PARTITIONS} partitions, and a Redis.\n");

    let (seen, tally) = (Seen::default(), Tally::default());
    let worker = async || -> Outcome<WorkerBuilder> {
        let counted = tally.clone();
        Ok(Worker::builder()
            .store(RedisStore::connect(&redis.url()).await?)
            .transport(Kafka::connect(kafka.url()).topic(TOPIC).await?)
            .state(seen.clone())
            .handler(apply)
            .observe(move |worker_event| counted.count(worker_event)))
    };
    let first = RunningWorker::start(worker().await?);
    let second = RunningWorker::start(worker().await?);

    println!(
        "One producer for each of {ORDERS} orders sends {EVENTS} events; each tenth is sent again later, after a lost \
         confirm."
    );
    let produced = (1..=ORDERS).map(|order| produce(kafka.url(), order));
    let produced: Vec<_> = produced.map(tokio::spawn).collect();
    for producer in produced {
        producer.await??;
    }
    let total = usize::try_from(ORDERS * EVENTS)?;
    tally.until(|counts| counts.committed >= total / 3).await;
    let done = tally.counts().committed;
    println!(
        "After {done} of {total} events a worker is stopped, and its partitions go to the other one.\n"
    );
    first.stop().await?;
    tally.until(|counts| counts.committed >= total).await;
    second.stop().await?;

    let counts = tally.counts();
    let seen = seen.0.lock().map_err(|_| "the handler panicked")?;
    for (order, partitions) in seen.iter() {
        let partitions: Vec<&str> = partitions.iter().map(String::as_str).collect();
        println!(
            "{order}: 1 to {} over partition {}",
            counts.numbers[order].len(),
            partitions.join(", ")
        );
    }
    println!(
        "\n{} deliveries: {} handled, {} dropped as duplicates, {} held because they came too early. The others were \
         under way when a worker was stopped, and came again.",
        counts.received, counts.committed, counts.duplicates, counts.held
    );
    let wrong = counts.wrong(EVENTS);
    if wrong.is_empty() && counts.numbers.len() as u64 == ORDERS {
        println!("Each order was handled in order, each event once.");
        Ok(())
    } else {
        Err(format!("not in order, or not once: {}", wrong.join(", ")).into())
    }
}

/// The only one that writes events of this order, so it numbers them by itself.
async fn produce(url: String, order: u64) -> Outcome {
    let publisher = Kafka::connect(url).topic(TOPIC).publisher().await?;
    let publisher = Publisher::builder(publisher).build()?;
    let event = |seq| OrderChanged {
        order_id: format!("order-{order}"),
        seq,
        event_id: format!("order-{order}/{seq}"),
    };
    for seq in 1..=EVENTS {
        publisher.publish(&event(seq)).await?;
        if seq % 10 == 0 {
            publisher.publish(&event(seq - 5)).await?;
        }
    }
    Ok(())
}
