use std::error::Error;
use std::io::{IsTerminal, Write};
use std::time::Instant;

use ordered_events::core::transport::shuffle_within;
use ordered_events::{Envelope, Publisher};

use crate::event;

/// How many events are published, and confirmed, at a time.
const BATCH: usize = 1_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the events go: amqp://…, sqs://…, kafka://…, memory://… With `?key=order_id` (Kafka) or
    /// `?partitions=8&key=order_id` (RabbitMQ) those of an order go to one partition.
    #[arg(long)]
    transport: String,
    /// The queue; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// How many orders.
    #[arg(long, default_value_t = 100)]
    keys: u64,
    /// How many events for each.
    #[arg(long, default_value_t = 10)]
    events: u64,
    /// From which number on the events of an order are published: those before it were published already.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Each event is moved by up to this many places.
    #[arg(long, default_value_t = 0)]
    shuffle: usize,
    /// This many percent of the events are published twice.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    duplicates: u8,
    /// Publishes one part of the events, as `0/3`: several brokers can then feed one group, each with its part.
    #[arg(long, value_name = "NUMBER/PARTS", value_parser = part)]
    part: Option<Part>,
    /// What decides ids, places and duplicates; printed, so that a run can be repeated.
    #[arg(long)]
    seed: Option<u64>,
}

/// One of so many parts of the events.
#[derive(Clone, Copy)]
struct Part {
    number: usize,
    of: usize,
}

fn part(text: &str) -> Result<Part, String> {
    let (number, of) = text.split_once('/').ok_or("it is not like `0/3`")?;
    let whole = |text: &str| text.parse::<usize>().map_err(|error| error.to_string());
    let (number, of) = (whole(number)?, whole(of)?);
    if number >= of {
        return Err(format!(
            "of {of} parts the last is {}",
            of.saturating_sub(1)
        ));
    }
    Ok(Part { number, of })
}

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut envelopes = Vec::new();
    let events = event::all(options.keys, options.events, &mut random);
    let wanted = |place| {
        let part = options.part;
        part.is_none_or(|part| place % part.of == part.number)
    };
    let events: Vec<_> = (0..)
        .zip(events)
        .filter(|(place, event)| wanted(*place) && event.seq >= options.first)
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

    let transport = ordered_events::publisher(&options.transport, &options.queue).await?;
    // In the order that was drawn, which is not that of the orders: the events have no keys for the publisher, one
    // batch goes out after the other, and the workers sort them.
    let publisher = Publisher::builder(transport).batch(BATCH);
    let publisher = publisher.concurrent_batches(1).build()?;
    let (total, begun, progress) = (
        envelopes.len(),
        Instant::now(),
        std::io::stderr().is_terminal(),
    );
    let mut published = 0;
    for batch in envelopes.chunks(BATCH) {
        let mut receipts = Vec::with_capacity(batch.len());
        for event in batch {
            receipts.push(publisher.enqueue(event.clone()).await?);
        }
        for receipt in receipts {
            receipt.await?;
        }
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
