use std::error::Error;
use std::io::{IsTerminal, Write};
use std::time::Instant;

use ordered_events::Envelope;
use ordered_events::core::transport::shuffle_within;

use crate::event;

/// How many events are published, and confirmed, at a time.
const BATCH: usize = 1_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the events go: amqp://…, sqs://…, memory://…
    #[arg(long)]
    transport: String,
    /// The queue.
    #[arg(long)]
    queue: String,
    /// How many orders.
    #[arg(long, default_value_t = 100)]
    keys: u64,
    /// How many events for each.
    #[arg(long, default_value_t = 10)]
    events: u64,
    /// Each event is moved by up to this many places.
    #[arg(long, default_value_t = 0)]
    shuffle: usize,
    /// This many percent of the events are published twice.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    duplicates: u8,
    /// Publishes only every other event: two brokers can then feed one group, each with its half.
    #[arg(long)]
    half: Option<Half>,
    /// What decides ids, places and duplicates; printed, so that a run can be repeated.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Half {
    Odd,
    Even,
}

impl Half {
    fn has(self, place: usize) -> bool {
        (place % 2 == 1) == matches!(self, Self::Odd)
    }
}

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut envelopes = Vec::new();
    let events = event::all(options.keys, options.events, &mut random);
    let wanted = |place| options.half.is_none_or(|half| half.has(place));
    let events: Vec<_> = (0..)
        .zip(events)
        .filter(|(place, _)| wanted(*place))
        .map(|(_, event)| event)
        .collect();
    let distinct = events.len();
    for event in events {
        let envelope = Envelope::new(serde_json::to_vec(&event)?);
        if random.u8(0..100) < options.duplicates {
            envelopes.push(envelope.clone());
        }
        envelopes.push(envelope);
    }
    shuffle_within(&mut envelopes, options.shuffle, &mut random);

    let publisher = ordered_events::publisher(&options.transport, &options.queue).await?;
    let (total, begun, progress) = (
        envelopes.len(),
        Instant::now(),
        std::io::stderr().is_terminal(),
    );
    let mut published = 0;
    for batch in envelopes.chunks(BATCH) {
        publisher.publish(batch.to_vec()).await?;
        published += batch.len();
        if progress {
            eprint!("\r{published} of {total} events");
            std::io::stderr().flush()?;
        }
    }
    if progress {
        eprintln!();
    }
    let duplicates = total - distinct;
    println!(
        "published and confirmed {total} events for {} orders, {duplicates} of them duplicates, in {:.1} s",
        options.keys,
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
