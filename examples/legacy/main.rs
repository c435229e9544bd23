//! A legacy system: it sends each message at least once, in order, with an id and without a number.
//!
//! `order = "arrival"` keeps the order in which the broker hands the messages of a customer over, and runs each once: while
//! a message fails, those behind it wait.
//!
//! `cargo run --example legacy` shows it in memory. With `work` it is a worker, with `produce` the legacy system, on any
//! broker and store.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Parser, Subcommand};
use ordered_events::{
    Context, Envelope, HandlerError, MemoryBroker, MemoryStore, Occurrence, Publish, State, Worker,
    ordered_handler, shutdown_signal,
};
use serde::Deserialize;
use tokio::sync::Notify;

/// A message as the legacy system writes it. The line is there for people: nothing counts on it.
#[derive(Deserialize)]
struct Message {
    customer: String,
    message_id: String,
    line: u64,
}

/// What the handler does: it writes down what it was called with. One message fails at its first attempts.
#[derive(Clone, Default)]
struct Book {
    log: Option<Arc<File>>,
    lines: Arc<Mutex<Vec<(String, u64)>>>,
    failures: Arc<AtomicU32>,
    work: Duration,
}

#[ordered_handler(
    key = "customer",
    id = "message_id",
    order = "arrival",
    group = "legacy",
    backoff = "20ms"
)]
async fn write_down(
    message: Message,
    State(book): State<Book>,
    context: Context,
) -> Result<(), HandlerError> {
    let Message {
        customer,
        message_id,
        line,
    } = message;
    tokio::time::sleep(book.work).await;
    let fail = |left: u32| left.checked_sub(1);
    let failures = &book.failures;
    if line == 2
        && failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail)
            .is_ok()
    {
        return Err(HandlerError::transient("the printer is out of paper"));
    }
    if let Some(mut file) = book.log.as_deref() {
        let worker = context.worker();
        file.write_all(format!("{customer} {line} {message_id} {worker}\n").as_bytes())?;
    }
    let mut lines = book.lines.lock().map_err(|_| "the book is closed")?;
    lines.push((customer, line));
    Ok(())
}

/// Messages without numbers, in order of arrival and once. Without a command: a demonstration in memory.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A worker: start as many as you like.
    Work(Work),
    /// The legacy system.
    Produce(Produce),
}

#[derive(clap::Args)]
struct Work {
    /// Where the messages come from: amqp://…, sqs://…, kafka://…
    #[arg(long)]
    transport: String,
    /// The queue they are in; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Where the state is: redis://…
    #[arg(long)]
    store: String,
    /// The group.
    #[arg(long, default_value = "legacy")]
    group: String,
    /// The name of this worker.
    #[arg(long)]
    id: String,
    /// A file that gets a line `customer line message_id worker_id` for each message.
    #[arg(long)]
    log: PathBuf,
    /// How long each message takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// How long after this worker's death others take over, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    lease_ms: u64,
}

#[derive(clap::Args)]
struct Produce {
    /// Where the messages go.
    #[arg(long)]
    transport: String,
    /// The queue; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// How many customers.
    #[arg(long, default_value_t = 10)]
    keys: u64,
    /// How many messages of each.
    #[arg(long, default_value_t = 20)]
    events: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let level = match arguments.command {
        Some(_) => tracing::level_filters::LevelFilter::INFO,
        None => tracing::level_filters::LevelFilter::ERROR,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .init();
    match arguments.command {
        None => demonstrate().await,
        Some(Command::Work(options)) => work(options).await,
        Some(Command::Produce(options)) => {
            let publisher = ordered_events::publisher(&options.transport, &options.queue).await?;
            publisher
                .publish(messages(options.keys, options.events))
                .await?;
            Ok(())
        }
    }
}

/// In the order in which they are sent, each third one twice: at once, or again after some others.
fn messages(customers: u64, lines: u64) -> Vec<Envelope> {
    let mut messages = Vec::new();
    let message = |customer: u64, line: u64| {
        Envelope::new(format!(
            r#"{{"customer": "customer-{customer}", "message_id": "m-{customer}-{line}", "line": {line}}}"#
        ))
    };
    for line in 1..=lines {
        for customer in 1..=customers {
            messages.push(message(customer, line));
            if (line + customer) % 3 == 0 {
                messages.push(message(customer, line));
            }
            if line > 3 && (line + customer) % 5 == 0 {
                messages.push(message(customer, line - 3));
            }
        }
    }
    messages
}

async fn work(options: Work) -> Result<(), Box<dyn Error>> {
    let mut open = OpenOptions::new();
    let log = open.create(true).append(true).open(&options.log)?;
    let lease = Duration::from_millis(options.lease_ms);
    Worker::connect(&options.transport, &options.queue, &options.store)
        .await?
        .group(options.group)
        .id(options.id)
        .lease(lease)
        .sweep_interval(lease / 20)
        .state(Book {
            log: Some(Arc::new(log)),
            work: Duration::from_millis(options.work_ms),
            ..Book::default()
        })
        .handler(write_down)
        .run_until(shutdown_signal())
        .await?;
    Ok(())
}

async fn demonstrate() -> Result<(), Box<dyn Error>> {
    const CUSTOMERS: u64 = 2;
    const LINES: u64 = 5;
    let broker = MemoryBroker::new();
    let messages = messages(CUSTOMERS, LINES);
    println!(
        "A legacy system sends {LINES} messages of each of {CUSTOMERS} customers, {} in all: some of them twice, and none \
         with a number. The first attempts at a second line fail.\n",
        messages.len()
    );
    broker.publish(messages).await?;
    let book = Book {
        failures: Arc::new(AtomicU32::new(2)),
        ..Book::default()
    };
    let (done, finished) = (Arc::new(Notify::new()), Arc::new(Mutex::new(0_u64)));
    let told = Arc::clone(&done);
    Worker::builder()
        .store(MemoryStore::new())
        .transport(broker.consumer())
        .state(book.clone())
        .handler(write_down)
        .observe(move |occurrence| {
            match occurrence {
                Occurrence::Committed { event, .. } => println!("{} ran", event.id),
                Occurrence::Duplicate { event } => println!("{} came again", event.id),
                Occurrence::Retrying { event, error, .. } => {
                    println!("{} failed: {error}; what arrived after it waits", event.id);
                }
                _ => {}
            }
            if let (Occurrence::Committed { .. }, Ok(mut finished)) = (occurrence, finished.lock())
            {
                *finished += 1;
                if *finished == CUSTOMERS * LINES {
                    told.notify_one();
                }
            }
        })
        .run_until(async move { done.notified().await })
        .await?;
    let lines = book.lines.lock().map_err(|_| "the handler panicked")?;
    println!();
    for customer in (1..=CUSTOMERS).map(|number| format!("customer-{number}")) {
        let of = lines.iter().filter(|(key, _)| *key == customer);
        let of: Vec<u64> = of.map(|(_, line)| *line).collect();
        let right = of.iter().copied().eq(1..=LINES);
        let words = if right {
            "as they arrived, each once"
        } else {
            "WRONG"
        };
        println!("{customer}: lines {of:?}, {words}");
        if !right {
            return Err("the order is wrong".into());
        }
    }
    Ok(())
}
