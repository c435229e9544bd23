use std::error::Error;
use std::future::Future;
use std::io::IsTerminal;
use std::iter;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use ordered_events::{Envelope, Worker, WorkerBuilder, shutdown_signal};
use tracing::level_filters::LevelFilter;

use crate::HandlerLog;

/// How a program ends.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// An example with a demonstration, and with the commands `work` and `produce` for real processes.
pub trait Example {
    /// What `--help` says.
    const ABOUT: &'static str;
    /// The group, unless another is given.
    const GROUP: &'static str;
    /// How many keys and events of each are produced, unless it is said.
    const LOAD: (u64, u64);

    /// Gives the worker its handler.
    fn worker(worker: WorkerBuilder, handler_log: HandlerLog) -> WorkerBuilder;

    /// What is produced: so many keys, with so many events each.
    fn messages(keys: u64, events: u64) -> Vec<Envelope>;

    /// Shows what it is about, without a server.
    fn demonstrate() -> impl Future<Output = Outcome>;
}

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A worker: start as many as you like.
    Work(Work),
    /// A producer.
    Produce(Produce),
}

#[derive(Args)]
struct Work {
    /// Where the events come from: amqp://…, sqs://…, kafka://…
    #[arg(long)]
    transport: String,
    /// The queue they are in; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Another queue that they are in as well.
    #[arg(long)]
    also: Option<String>,
    /// Where the state is: redis://…
    #[arg(long)]
    store: String,
    /// The group; each example has its own.
    #[arg(long)]
    group: Option<String>,
    /// The name of this worker.
    #[arg(long)]
    id: String,
    /// A file that gets a line `key number event_id worker_id` for each event that is handled.
    #[arg(long)]
    log: PathBuf,
    /// How long each event takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// How long after this worker's death others take over, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    lease_ms: u64,
}

#[derive(Args)]
struct Produce {
    /// Where the events go.
    #[arg(long)]
    transport: String,
    /// The queue; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Another queue, to which every second event goes.
    #[arg(long)]
    also: Option<String>,
    /// How many keys.
    #[arg(long)]
    keys: Option<u64>,
    /// How many events of each.
    #[arg(long)]
    events: Option<u64>,
}

/// Does what the command line says.
///
/// # Errors
/// As the command fails.
pub async fn run<E: Example>() -> Outcome {
    let command = Arguments::command()
        .about(E::ABOUT)
        .after_help("Without a command: a demonstration in memory.");
    let arguments = Arguments::from_arg_matches(&command.get_matches())?;
    log(match arguments.command {
        Some(_) => LevelFilter::INFO,
        None => LevelFilter::ERROR,
    });
    match arguments.command {
        None => E::demonstrate().await,
        Some(Command::Work(options)) => work::<E>(options).await,
        Some(Command::Produce(options)) => produce::<E>(options).await,
    }
}

async fn produce<E: Example>(options: Produce) -> Outcome {
    let (keys, events) = E::LOAD;
    let (keys, events) = (
        options.keys.unwrap_or(keys),
        options.events.unwrap_or(events),
    );
    let queues: Vec<String> = iter::once(options.queue).chain(options.also).collect();
    let mut parts = vec![Vec::new(); queues.len()];
    for (place, message) in E::messages(keys, events).into_iter().enumerate() {
        parts[place % queues.len()].push(message);
    }
    for (queue, part) in queues.iter().zip(parts) {
        let publisher = ordered_events::publisher(&options.transport, queue).await?;
        publisher.publish(part).await?;
    }
    Ok(())
}

async fn work<E: Example>(options: Work) -> Outcome {
    let handler_log = HandlerLog::open(&options.log, Duration::from_millis(options.work_ms))?;
    let lease = Duration::from_millis(options.lease_ms);
    let group = options.group.unwrap_or_else(|| E::GROUP.to_owned());
    let worker = async |queue: &str, id: String| -> Outcome {
        let worker = Worker::connect(&options.transport, queue, &options.store).await?;
        let worker = worker
            .group(group.clone())
            .id(id)
            .lease(lease)
            .sweep_interval(lease / 20);
        E::worker(worker, handler_log.clone())
            .run_until(shutdown_signal())
            .await?;
        Ok(())
    };
    let first = worker(&options.queue, options.id.clone());
    match &options.also {
        None => first.await,
        Some(also) => {
            let second = worker(also, format!("{}-also", options.id));
            tokio::try_join!(first, second)?;
            Ok(())
        }
    }
}

/// How a program ends: an error is said with its causes.
pub fn end<E>(outcome: Result<(), E>) -> ExitCode
where
    E: Deref,
    E::Target: Error,
{
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes; what a message already contains is not said again.
fn with_causes(error: &(impl Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// Logs to stderr from this level on, or what `RUST_LOG` names.
pub fn log(level: LevelFilter) {
    let from_env = std::env::var("RUST_LOG").ok();
    let from_env = from_env.and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_max_level(from_env.unwrap_or(level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
