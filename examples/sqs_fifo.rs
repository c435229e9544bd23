//! The strategy "SQS FIFO with message groups": the cloud's own order. Events of one order are one message group, of
//! which SQS hands over one event after the other; the deduplication id drops what is sent again within five minutes.
//!
//! `order = "arrival"` keeps that order, and nobody numbers. What the framework adds: an event that is sent again after
//! the five minutes, or delivered again, still runs once, and while one fails those behind it wait, without a
//! visibility timeout to tune.
//!
//! `cargo run --example sqs_fifo --features sqs` starts an emulator of SQS and a Redis for itself, if they are
//! installed (`scripts/install-servers`). The emulator stands in for Amazon's.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use examples::{Outcome, RunningWorker, Tally, end, log};
use ordered_events::{
    HandlerError, OrderedEvent, Publisher, RedisStore, Sqs, State, Worker, WorkerBuilder,
    ordered_handler,
};
use ordered_testkit::server::{RedisServer, SqsServer};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;

const ORDERS: u64 = 6;
const EVENTS: u64 = 10;
const QUEUE: &str = "orders.fifo";
/// How long a worker waits for messages in one call: it stops as soon.
const SECOND: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "order_id", id = "event_id", event_type = "changed")]
struct OrderChanged {
    order_id: String,
    event_id: String,
    /// For the reader: nothing counts on it.
    line: u64,
}

#[derive(Clone, Default)]
struct Book {
    lines: Arc<Mutex<Vec<(String, u64)>>>,
    failures: Arc<AtomicU32>,
}

#[ordered_handler(
    key = "header:sqs.message_group_id",
    id = "event_id",
    order = "arrival",
    group = "sqs-fifo",
    backoff = "50ms"
)]
async fn apply(event: OrderChanged, State(book): State<Book>) -> Result<(), HandlerError> {
    // The third event of each order fails once.
    if event.line == 3 && book.failures.fetch_add(1, Ordering::Relaxed) < 6 {
        return Err(HandlerError::transient("the warehouse does not answer"));
    }
    let mut lines = book.lines.lock().map_err(|_| "the book is closed")?;
    lines.push((event.order_id, event.line));
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    log(LevelFilter::ERROR);
    end(demonstrate().await)
}

async fn demonstrate() -> Outcome {
    let (sqs, redis) = tokio::try_join!(SqsServer::start(), RedisServer::start())?;
    sqs.create_queue(QUEUE, &[]).await?;
    println!("An emulator of SQS with the queue {QUEUE}, and a Redis.\n");

    let (book, tally) = (Book::default(), Tally::default());
    let worker = async || -> Outcome<WorkerBuilder> {
        let counted = tally.clone();
        Ok(Worker::builder()
            .store(RedisStore::connect(&redis.url()).await?)
            .transport(Sqs::connect(sqs.url(QUEUE)).wait(SECOND).await?)
            .state(book.clone())
            .handler(apply)
            .observe(move |worker_event| counted.count(worker_event)))
    };
    let workers = [
        RunningWorker::start(worker().await?),
        RunningWorker::start(worker().await?),
    ];

    println!(
        "A producer sends {EVENTS} events of each of {ORDERS} orders, and each fifth of them twice."
    );
    let publisher = Sqs::connect(sqs.url(QUEUE)).publisher().await?;
    let publisher = Publisher::builder(publisher).build()?;
    let mut sent = 0;
    for line in 1..=EVENTS {
        for order in 1..=ORDERS {
            let event = OrderChanged {
                order_id: format!("order-{order}"),
                event_id: format!("order-{order}-{line}"),
                line,
            };
            let times = if (line + order) % 5 == 0 { 2 } else { 1 };
            for _ in 0..times {
                publisher.publish(&event).await?;
                sent += 1;
            }
        }
    }
    let total = usize::try_from(ORDERS * EVENTS)?;
    tally.until(|counts| counts.committed >= total).await;
    for worker in workers {
        worker.stop().await?;
    }

    let (counts, lines) = (tally.counts(), book.lines.lock());
    let lines = lines.map_err(|_| "the handler panicked")?;
    println!("Two workers handled them; the third event of an order failed at first:\n");
    let mut wrong = Vec::new();
    for order in (1..=ORDERS).map(|number| format!("order-{number}")) {
        let of = lines.iter().filter(|(key, _)| *key == order);
        let of: Vec<u64> = of.map(|(_, line)| *line).collect();
        println!("{order}: {of:?}");
        if !of.iter().copied().eq(1..=EVENTS) {
            wrong.push(order);
        }
    }
    println!(
        "\n{sent} messages were sent, {} came: {} handled, {} dropped as duplicates here, the others by SQS.",
        counts.received, counts.committed, counts.duplicates
    );
    if wrong.is_empty() {
        println!("Each order was handled as it was sent, each event once.");
        Ok(())
    } else {
        Err(format!("not in order, or not once: {}", wrong.join(", ")).into())
    }
}
