//! Three brokers feed one group: the events of one order come over one or another of them, at the same time, and are
//! handled 1, 2, 3, … all the same, because the order is in the store.
//!
//! `cargo run --example three_brokers` shows it in memory. With real ones, all queues and the topic existing:
//!
//! ```sh
//! cargo run --example three_brokers --features sqs,kafka -- \
//!   amqp://localhost 'sqs://?region=eu-central-1' kafka://localhost orders redis://localhost
//! ```

use std::error::Error;
use std::sync::Arc;

use ordered_events::core::transport::shuffle_within;
use ordered_events::{Envelope, Worker, WorkerEvent, ordered_handler};
use serde::Deserialize;
use tokio::sync::watch;

const EVENTS: u64 = 20;

#[derive(Deserialize)]
struct Step {
    order_id: String,
    seq: u64,
    over: String,
}

#[ordered_handler(key = "order_id", seq = "seq", group = "three-brokers")]
async fn take_step(step: Step) {
    println!("{} #{:<2} came over {}", step.order_id, step.seq, step.over);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let brokers = ["memory://one", "memory://two", "memory://three"].map(&mut argument);
    let (queue, store) = (argument("orders"), argument("memory://state"));

    // A new order for every run, so that a store that lasts has not seen it.
    let order = format!("order-{}", fastrand::u32(..));
    let mut seqs: Vec<u64> = (1..=EVENTS).collect();
    shuffle_within(&mut seqs, 5, &mut fastrand::Rng::new());

    // All is done when the last event is.
    let (done_sender, done) = watch::channel(false);
    let done_sender = Arc::new(done_sender);
    let worker = async |broker: &str| {
        let (done_sender, mut done) = (Arc::clone(&done_sender), done.clone());
        Worker::connect(broker, &queue, &store)
            .await?
            .handler(take_step)
            .observe(move |worker_event| {
                if let WorkerEvent::Committed { event, .. } = worker_event
                    && event.seq.get() == EVENTS
                {
                    done_sender.send_replace(true);
                }
            })
            .run_until(async move {
                // The sender lives as long as the worker, which has it too.
                let _ = done.wait_for(|done| *done).await;
            })
            .await?;
        Ok::<_, Box<dyn Error>>(())
    };
    let publish = async || {
        for (place, broker) in brokers.iter().enumerate() {
            let over = broker.split("://").next().unwrap_or_default();
            let part = seqs.iter().skip(place).step_by(brokers.len());
            let event = |seq| {
                format!(
                    r#"{{"order_id": "{order}", "seq": {seq}, "over": "{over} ({})"}}"#,
                    place + 1
                )
            };
            let publisher = ordered_events::publisher(broker, &queue).await?;
            publisher
                .publish(part.map(event).map(Envelope::new).collect())
                .await?;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let [one, two, three] = &brokers;
    tokio::try_join!(worker(one), worker(two), worker(three), publish())?;
    Ok(())
}
