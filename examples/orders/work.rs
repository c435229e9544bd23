use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use ordered_events::{Worker, shutdown_signal};

use crate::handled_log::HandledLog;
use crate::handler::{apply_order, apply_orders};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the events come from: amqp://…, sqs://…, kafka://…, memory://…
    #[arg(long)]
    transport: String,
    /// The queue they are in; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Where the state is: redis://…, memory://…
    #[arg(long)]
    store: String,
    /// The group: workers of one group share their progress. Another group needs another queue.
    #[arg(long, default_value = "orders")]
    group: String,
    /// A file that gets a line `key seq event_id worker_id` for each handled event.
    #[arg(long)]
    log: Option<PathBuf>,
    /// How long each event takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// The event that kills this worker whenever it is handled, as `order-1:3`: to see what happens to it, and of the
    /// others.
    #[arg(long, value_name = "ORDER:SEQ", value_parser = poison)]
    poison: Option<(String, u64)>,
    /// How many events are handled at a time.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Handles up to a hundred events of an order together.
    #[arg(long)]
    batch: bool,
    /// How many events of an order may be handled and not committed yet while the next one is handled.
    #[arg(long, default_value_t = 0)]
    commit_window: u32,
    /// How long after this worker's death others take over, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    lease_ms: u64,
    /// How often to look for keys that nobody runs, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    sweep_ms: u64,
    /// The name of this worker; one that is unique is made up by default.
    #[arg(long)]
    id: Option<String>,
    /// Where to serve metrics for Prometheus, at /metrics, and how the worker is, at /live and /ready: 127.0.0.1:9464.
    #[cfg(feature = "prometheus")]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<std::net::SocketAddr>,
}

pub(crate) async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    // Before the worker, which looks its metrics up when it starts.
    #[cfg(feature = "prometheus")]
    let prometheus = match options.metrics {
        Some(_) => Some(ordered_events::prometheus::Prometheus::install()?),
        None => None,
    };
    let handled_log = HandledLog::open(
        options.log.as_deref(),
        Duration::from_millis(options.work_ms),
        options.poison,
    )?;
    let mut worker = Worker::connect(&options.transport, &options.queue, &options.store)
        .await?
        .group(options.group)
        .concurrency(options.concurrency)
        .lease(Duration::from_millis(options.lease_ms))
        .sweep_interval(Duration::from_millis(options.sweep_ms))
        .state(handled_log);
    worker = if options.batch {
        worker.handler(apply_orders)
    } else {
        worker.handler(apply_order)
    };
    if options.commit_window > 0 {
        worker = worker.commit_window(options.commit_window);
    }
    if let Some(id) = options.id {
        worker = worker.id(id);
    }
    let worker = worker.build()?;
    #[cfg(feature = "prometheus")]
    let _server = match (prometheus, options.metrics) {
        (Some(prometheus), Some(address)) => {
            let server = prometheus.watch(worker.health()).serve(address).await?;
            tracing::info!(at = %format_args!("http://{}/metrics", server.address()), "metrics");
            Some(server)
        }
        _ => None,
    };
    worker.run_until(shutdown_signal()).await?;
    Ok(())
}

fn poison(text: &str) -> Result<(String, u64), String> {
    let (order, seq) = text.rsplit_once(':').ok_or("it has no `:`")?;
    let seq = seq.parse().map_err(|error| format!("the seq: {error}"))?;
    Ok((order.to_owned(), seq))
}
