//! Snapshots: each message has the whole state of a product, and a version that grows. Only the newest state matters.
//!
//! `order = "monotonic"` runs a version unless a newer one was run before; with `coalesce = true` it runs only the
//! newest of those that wait. Gaps between versions are nothing to wait for.
//!
//! `cargo run --example snapshots` shows it in memory. With `work` it is a worker, with `produce` a producer.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use examples::{Example, HandlerLog, Outcome, Tally, end, run};
use ordered_events::core::transport::{Faults, shuffle_within};
use ordered_events::{
    Context, Envelope, HandlerError, MemoryBroker, MemoryStore, Publish, State, Worker,
    WorkerBuilder, WorkerEvent, ordered_handler,
};
use serde::Deserialize;

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
    handler_log: HandlerLog,
    products: Arc<Mutex<BTreeMap<String, (u64, u64)>>>,
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
    cache.handler_log.work().await;
    let Snapshot {
        product,
        version,
        price_cents,
    } = snapshot;
    cache.handler_log.write(&context, version)?;
    let mut products = cache.products.lock().map_err(|_| "the cache is closed")?;
    products.insert(product, (version, price_cents));
    Ok(())
}

struct Snapshots;

impl Example for Snapshots {
    const ABOUT: &'static str = "Snapshots, of which the newest wins";
    const GROUP: &'static str = "snapshots";
    const LOAD: (u64, u64) = (10, 100);

    fn worker(worker: WorkerBuilder, handler_log: HandlerLog) -> WorkerBuilder {
        let cache = Cache {
            handler_log,
            ..Cache::default()
        };
        worker.state(cache).handler(refresh)
    }

    /// Versions 1, 2, 3, … up to the last one, without each fourth, moved by up to 20 places.
    fn messages(products: u64, last: u64) -> Vec<Envelope> {
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

    async fn demonstrate() -> Outcome {
        const PRODUCTS: u64 = 3;
        const LAST: u64 = 40;
        let broker = MemoryBroker::with_faults(Faults {
            seed: 17,
            duplicate: 20,
            delay: Duration::from_millis(60),
            ..Faults::default()
        });
        broker.publish(Self::messages(PRODUCTS, LAST)).await?;
        let arrive = broker.backlog();
        println!(
            "{arrive} snapshots of {PRODUCTS} products arrive, versions 1 to {LAST} with gaps, in disorder, some of \
             them twice. To write one takes 2 ms.\n"
        );
        let cache = Cache {
            handler_log: HandlerLog::none(Duration::from_millis(2)),
            ..Cache::default()
        };
        let tally = Tally::default();
        let counted = tally.clone();
        Worker::builder()
            .store(MemoryStore::new())
            .transport(broker.consumer())
            .state(cache.clone())
            .handler(refresh)
            .observe(move |worker_event| {
                if let WorkerEvent::Committed { event, .. } = worker_event {
                    println!("{} version {} was written", event.key, event.seq);
                }
                counted.count(worker_event);
            })
            .run_until(tally.until(|counts| counts.ended() == arrive))
            .await?;
        let counts = tally.counts();
        println!(
            "\n{} were written, {} were superseded by newer ones.\n",
            counts.committed, counts.superseded
        );
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
}

#[tokio::main]
async fn main() -> ExitCode {
    end(run::<Snapshots>().await)
}
