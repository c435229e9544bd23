//! Snapshots: each message has the whole state of a product, and a version that grows. Only the newest state matters.
//!
//! `order = "monotonic"` runs a version unless a newer one was run before; with `coalesce = true` it runs only the newest of
//! those that wait. Gaps between versions are nothing to wait for.
//!
//! `cargo run --example snapshots` shows it in memory. With `work` it is a worker, with `produce` a producer.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Parser, Subcommand};
use ordered_events::core::transport::{Faults, shuffle_within};
use ordered_events::{
    Context, Envelope, HandlerError, MemoryBroker, MemoryStore, Occurrence, Publish, State, Worker,
    ordered_handler, shutdown_signal,
};
use serde::Deserialize;
use tokio::sync::Notify;

/// The whole state of a product.
#[derive(Deserialize)]
struct Snapshot {
    product: String,
    version: u64,
    price_cents: u64,
}

/// The cache that the snapshots go to.
#[derive(Clone, Default)]
struct Cache {
    log: Option<Arc<File>>,
    products: Arc<Mutex<BTreeMap<String, (u64, u64)>>>,
    writes: Arc<Mutex<u64>>,
    work: Duration,
}

#[ordered_handler(
    key = "product",
    seq = "version",
    order = "monotonic",
    coalesce = true,
    group = "snapshots"
)]
async fn refresh(
    snapshot: Snapshot,
    State(cache): State<Cache>,
    context: Context,
) -> Result<(), HandlerError> {
    tokio::time::sleep(cache.work).await;
    let Snapshot {
        product,
        version,
        price_cents,
    } = snapshot;
    if let Some(mut file) = cache.log.as_deref() {
        let (id, worker) = (context.event_id(), context.worker());
        file.write_all(format!("{product} {version} {id} {worker}\n").as_bytes())?;
    }
    let mut products = cache.products.lock().map_err(|_| "the cache is closed")?;
    products.insert(product, (version, price_cents));
    let mut writes = cache.writes.lock().map_err(|_| "the cache is closed")?;
    *writes += 1;
    Ok(())
}

/// Snapshots, of which the newest wins. Without a command: a demonstration in memory.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A worker: start as many as you like.
    Work(Work),
    /// A producer of snapshots.
    Produce(Produce),
}

#[derive(clap::Args)]
struct Work {
    /// Where the snapshots come from: amqp://…, sqs://…, kafka://…
    #[arg(long)]
    transport: String,
    /// The queue they are in; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Where the state is: redis://…
    #[arg(long)]
    store: String,
    /// The group.
    #[arg(long, default_value = "snapshots")]
    group: String,
    /// The name of this worker.
    #[arg(long)]
    id: String,
    /// A file that gets a line `product version event_id worker_id` for each snapshot that is written.
    #[arg(long)]
    log: PathBuf,
    /// How long each snapshot takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// How long after this worker's death others take over, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    lease_ms: u64,
}

#[derive(clap::Args)]
struct Produce {
    /// Where the snapshots go.
    #[arg(long)]
    transport: String,
    /// The queue; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// How many products.
    #[arg(long, default_value_t = 10)]
    keys: u64,
    /// The last version of each.
    #[arg(long, default_value_t = 100)]
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
                .publish(snapshots(options.keys, options.events))
                .await?;
            Ok(())
        }
    }
}

/// Versions 1, 2, 3, … up to the last one, without each fourth, moved by up to 20 places.
fn snapshots(products: u64, last: u64) -> Vec<Envelope> {
    let versions = (1..=last).filter(|version| version % 4 != 0 || *version == last);
    let mut snapshots: Vec<Envelope> = versions
        .flat_map(|version| (1..=products).map(move |product| (product, version)))
        .map(|(product, version)| {
            Envelope::new(format!(
                r#"{{"product": "product-{product}", "version": {version}, "price_cents": {}}}"#,
                1_000 + version
            ))
        })
        .collect();
    shuffle_within(&mut snapshots, 20, &mut fastrand::Rng::with_seed(17));
    snapshots
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
        .state(Cache {
            log: Some(Arc::new(log)),
            work: Duration::from_millis(options.work_ms),
            ..Cache::default()
        })
        .handler(refresh)
        .run_until(shutdown_signal())
        .await?;
    Ok(())
}

async fn demonstrate() -> Result<(), Box<dyn Error>> {
    const PRODUCTS: u64 = 3;
    const LAST: u64 = 40;
    let broker = MemoryBroker::with_faults(Faults {
        seed: 17,
        duplicate: 20,
        delay: Duration::from_millis(60),
        ..Faults::default()
    });
    broker.publish(snapshots(PRODUCTS, LAST)).await?;
    let arrive = broker.backlog();
    println!(
        "{arrive} snapshots of {PRODUCTS} products arrive, versions 1 to {LAST} with gaps, in disorder, some of them twice. To \
         write one takes 2 ms.\n"
    );
    let cache = Cache {
        work: Duration::from_millis(2),
        ..Cache::default()
    };
    let (done, counts) = (
        Arc::new(Notify::new()),
        Arc::new(Mutex::new((0_usize, 0_usize))),
    );
    let (told, counted) = (Arc::clone(&done), Arc::clone(&counts));
    Worker::builder()
        .store(MemoryStore::new())
        .transport(broker.consumer())
        .state(cache.clone())
        .handler(refresh)
        .observe(move |occurrence| {
            let Ok(mut counts) = counted.lock() else {
                return;
            };
            let (ended, superseded) = &mut *counts;
            match occurrence {
                Occurrence::Committed { event, .. } => {
                    println!("{} version {} was written", event.key, event.seq);
                    *ended += 1;
                }
                Occurrence::Superseded { .. } => {
                    *ended += 1;
                    *superseded += 1;
                }
                Occurrence::Duplicate { .. } => *ended += 1,
                _ => {}
            }
            if *ended == arrive {
                told.notify_one();
            }
        })
        .run_until(async move { done.notified().await })
        .await?;
    let (_, superseded) = *counts.lock().map_err(|_| "the observer panicked")?;
    let writes = *cache.writes.lock().map_err(|_| "the handler panicked")?;
    println!("\n{writes} were written, {superseded} were superseded by newer ones.\n");
    let products = cache.products.lock().map_err(|_| "the handler panicked")?;
    for (product, (version, price)) in products.iter() {
        println!("{product}: version {version}, {price} cents");
    }
    let newest = (LAST, 1_000 + LAST);
    if products.len() as u64 == PRODUCTS && products.values().all(|state| *state == newest) {
        Ok(())
    } else {
        Err("a product is not at its newest version".into())
    }
}
