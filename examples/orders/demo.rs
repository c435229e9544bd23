use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_events::core::transport::Faults;
use ordered_events::{Envelope, MemoryBroker, MemoryStore, Publish, Worker, WorkerEvent};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::event::{self, OrderEvent};
use crate::handled_log::HandledLog;
use crate::handler::apply_order;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What decides the order of arrival and the duplicates.
    #[arg(long, default_value_t = 17)]
    seed: u64,
    /// How many orders.
    #[arg(long, default_value_t = 4)]
    keys: u64,
    /// How many events for each.
    #[arg(long, default_value_t = 5)]
    events: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 17,
            keys: 4,
            events: 5,
        }
    }
}

/// What happened, as the observer saw it.
struct Observed {
    payloads: HashMap<Uuid, String>,
    arrived: usize,
    held: usize,
    duplicates: usize,
    handled: BTreeMap<String, Vec<u64>>,
}

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let faults = Faults {
        seed: options.seed,
        shuffle: 9,
        duplicate: 25,
        delay: Duration::from_millis(40),
        ..Faults::default()
    };
    let broker = MemoryBroker::with_faults(faults);
    let events = event::all(
        options.keys,
        options.events,
        &mut fastrand::Rng::with_seed(options.seed),
    );
    println!(
        "{} orders with {} events each, moved by up to {} places and {} % of them sent twice (seed {}).\n",
        options.keys, options.events, faults.shuffle, faults.duplicate, options.seed
    );
    broker
        .publish(events.iter().map(envelope).collect::<Result<_, _>>()?)
        .await?;
    let total = broker.backlog();

    let observed = Arc::new(Mutex::new(Observed::new(&events)));
    let (observer, done) = (Arc::clone(&observed), Arc::new(Notify::new()));
    let finished = Arc::clone(&done);
    let expected = events.len();
    Worker::builder()
        .store(MemoryStore::new())
        .transport(broker.consumer())
        .state(HandledLog::open(None, Duration::from_millis(2), None)?)
        .handler(apply_order)
        .observe(move |worker_event| {
            let Ok(mut observed) = observer.lock() else {
                return;
            };
            observed.record(worker_event);
            if observed.arrived == total
                && observed.handled.values().map(Vec::len).sum::<usize>() == expected
            {
                finished.notify_one();
            }
        })
        .run_until(async move { done.notified().await })
        .await?;
    let observed = observed.lock().map_err(|_| "the observer panicked")?;
    observed.summarize(options)
}

fn envelope(event: &OrderEvent) -> Result<Envelope, serde_json::Error> {
    serde_json::to_vec(event).map(Envelope::new)
}

impl Observed {
    fn new(events: &[OrderEvent]) -> Self {
        let payloads = events
            .iter()
            .map(|event| (event.event_id, event.payload.to_string()))
            .collect();
        Self {
            payloads,
            arrived: 0,
            held: 0,
            duplicates: 0,
            handled: BTreeMap::new(),
        }
    }

    fn record(&mut self, worker_event: &WorkerEvent<'_>) {
        match worker_event {
            WorkerEvent::Received { event, .. } => {
                self.arrived += 1;
                let id: Uuid = event.id.as_str().parse().unwrap_or_default();
                let payload = self.payloads.get(&id).map_or("", String::as_str);
                println!("arrived    {} #{}  {payload}", event.key, event.seq);
            }
            WorkerEvent::Held { event, waiting } => {
                self.held += 1;
                println!("held       {} #{}  because {waiting}", event.key, event.seq);
            }
            WorkerEvent::Duplicate { event } => {
                self.duplicates += 1;
                println!("dropped    {} #{}  a duplicate", event.key, event.seq);
            }
            WorkerEvent::Committed { event, .. } => {
                self.handled
                    .entry(event.key.to_string())
                    .or_default()
                    .push(event.seq.get());
                println!("handled    {} #{}", event.key, event.seq);
            }
            _ => {}
        }
    }

    fn summarize(&self, options: &Options) -> Result<(), Box<dyn Error>> {
        println!("\nIn the order in which they were handled:");
        let expected: Vec<u64> = (1..=options.events).collect();
        let mut wrong = Vec::new();
        for (key, seqs) in &self.handled {
            let right = *seqs == expected;
            println!(
                "  {key}: {seqs:?}  {}",
                if right {
                    "in order, once each"
                } else {
                    "WRONG"
                }
            );
            if !right {
                wrong.push(key.as_str());
            }
        }
        println!(
            "\n{} events arrived; {} came too early and were held; {} came again and were dropped.",
            self.arrived, self.held, self.duplicates
        );
        if wrong.is_empty() && self.handled.len() as u64 == options.keys {
            Ok(())
        } else {
            Err(format!("the order was wrong for: {}", wrong.join(", ")).into())
        }
    }
}
