use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use examples::HandlerLog;
use ordered_events::{Worker, shutdown_signal};

use crate::handler::{Ledger, book};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the bookings come from: amqp://…, sqs://…, kafka://…
    #[arg(long)]
    transport: String,
    /// The queue they are in; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Where the state is: redis://…
    #[arg(long)]
    store: String,
    /// The group.
    #[arg(long, default_value = "balances")]
    group: String,
    /// The name of this worker.
    #[arg(long)]
    id: String,
    /// A file that gets a line `account number event_id worker_id` for each booking.
    #[arg(long)]
    log: PathBuf,
    /// How long each booking takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// How long after this worker's death others take over, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    lease_ms: u64,
    /// How long a booking waits for a branch that says nothing, in milliseconds.
    #[arg(long, default_value_t = 60_000)]
    producer_lease_ms: u64,
}

pub(crate) async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let handler_log = HandlerLog::open(&options.log, Duration::from_millis(options.work_ms))?;
    let lease = Duration::from_millis(options.lease_ms);
    Worker::connect(&options.transport, &options.queue, &options.store)
        .await?
        .group(options.group)
        .id(options.id)
        .lease(lease)
        .sweep_interval(lease / 20)
        .producer_lease(Duration::from_millis(options.producer_lease_ms))
        .state(Ledger::new(handler_log))
        .handler(book)
        .run_until(shutdown_signal())
        .await?;
    Ok(())
}
