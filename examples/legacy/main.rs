//! A legacy system: it sends each message at least once, in order, with an id and without a number.
//!
//! `order = "arrival"` keeps the order in which the broker hands the messages of a customer over, and runs each once:
//! while a message fails, those behind it wait.
//!
//! `cargo run --example legacy` shows it in memory. With `work` it is a worker, with `produce` the legacy system, on
//! any broker and store.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use examples::{Example, HandlerLog, Outcome, Tally, end, run};
use ordered_events::{
    Context, Envelope, HandlerError, MemoryBroker, MemoryStore, Publish, State, Worker,
    WorkerBuilder, WorkerEvent, ordered_handler,
};
use serde::Deserialize;

/// A message as the legacy system writes it. The line is there for people: nothing counts on it.
#[derive(Deserialize)]
struct Message {
    customer: String,
    #[allow(dead_code, reason = "the attribute names it")]
    message_id: String,
    line: u64,
}

/// What the handler does: it writes down what it was called with. One message fails at its first attempts.
#[derive(Clone, Default)]
struct Book {
    handler_log: HandlerLog,
    lines: Arc<Mutex<Vec<(String, u64)>>>,
    failures: Arc<AtomicU32>,
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
    book.handler_log.work().await;
    let fail = |left: u32| left.checked_sub(1);
    let failures = &book.failures;
    if message.line == 2
        && failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail)
            .is_ok()
    {
        return Err(HandlerError::transient("the printer is out of paper"));
    }
    book.handler_log.write(&context, message.line)?;
    let mut lines = book.lines.lock().map_err(|_| "the book is closed")?;
    lines.push((message.customer, message.line));
    Ok(())
}

struct Legacy;

impl Example for Legacy {
    const ABOUT: &'static str = "Messages without numbers, in order of arrival and once";
    const GROUP: &'static str = "legacy";
    const LOAD: (u64, u64) = (10, 20);

    fn worker(worker: WorkerBuilder, handler_log: HandlerLog) -> WorkerBuilder {
        let book = Book {
            handler_log,
            ..Book::default()
        };
        worker.state(book).handler(write_down)
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

    async fn demonstrate() -> Outcome {
        const CUSTOMERS: u64 = 2;
        const LINES: u64 = 5;
        let broker = MemoryBroker::new();
        let messages = Self::messages(CUSTOMERS, LINES);
        println!(
            "A legacy system sends {LINES} messages of each of {CUSTOMERS} customers, {} in all: some of them twice, \
             and none with a number. The first attempts at a second line fail.\n",
            messages.len()
        );
        broker.publish(messages).await?;
        let book = Book {
            failures: Arc::new(AtomicU32::new(2)),
            ..Book::default()
        };
        let tally = Tally::default();
        let counted = tally.clone();
        Worker::builder()
            .store(MemoryStore::new())
            .transport(broker.consumer())
            .state(book.clone())
            .handler(write_down)
            .observe(move |worker_event| {
                print_event(worker_event);
                counted.count(worker_event);
            })
            .run_until(tally.until(|counts| counts.committed as u64 == CUSTOMERS * LINES))
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
}

fn print_event(worker_event: &WorkerEvent<'_>) {
    match worker_event {
        WorkerEvent::Committed { event, .. } => println!("{} ran", event.id),
        WorkerEvent::Duplicate { event } => println!("{} came again", event.id),
        WorkerEvent::Retrying { event, error, .. } => {
            println!("{} failed: {error}; what arrived after it waits", event.id);
        }
        _ => {}
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    end(run::<Legacy>().await)
}
