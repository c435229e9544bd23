//! A service with several handlers in one process: the events of orders have a function for each type (`Router`),
//! payments have a queue and a group of their own, and one `App` runs both, with a middleware around every run.
//!
//! `cargo run --example shop` shows it in memory. With a real broker and a real Redis:
//!
//! ```sh
//! cargo run --example shop -- amqp://localhost redis://localhost
//! ```
//!
//! It publishes the events of a few new orders in disorder, handles them, and ends when all are done, or with Ctrl-C.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use ordered_events::core::transport::shuffle_within;
use ordered_events::{
    App, Context, Envelope, HandlerError, Next, Router, Unhandled, ordered_handler, shutdown_signal,
};
use serde::Deserialize;
use tokio::sync::watch;

const ORDERS: usize = 3;

/// How many events are done.
type Done = Arc<watch::Sender<usize>>;

#[derive(Deserialize)]
struct OrderCreated {
    order_id: String,
    seq: u64,
    amount_cents: u64,
}

#[derive(Deserialize)]
struct OrderShipped {
    order_id: String,
    seq: u64,
    carrier: String,
}

#[derive(Deserialize)]
struct Payment {
    account: String,
    seq: u64,
    cents: u64,
}

#[ordered_handler(key = "order_id", seq = "seq", on = "OrderCreated")]
async fn order_created(event: OrderCreated) {
    let OrderCreated {
        order_id,
        seq,
        amount_cents,
    } = event;
    println!("{order_id} #{seq}: created, {amount_cents} cents");
}

#[ordered_handler(key = "order_id", seq = "seq", on = "OrderShipped")]
async fn order_shipped(event: OrderShipped) {
    let OrderShipped {
        order_id,
        seq,
        carrier,
    } = event;
    println!("{order_id} #{seq}: shipped by {carrier}");
}

#[ordered_handler(key = "account", seq = "seq", group = "shop-payments")]
async fn apply_payment(event: Payment) {
    let Payment {
        account,
        seq,
        cents,
    } = event;
    println!("{account} #{seq}: {cents} cents paid");
}

/// Around every run: says how long it took, and counts it.
async fn timed(context: Context, next: Next) -> Result<(), HandlerError> {
    let begun = Instant::now();
    let outcome = next.run().await;
    let (group, key) = (context.group(), context.key().as_str());
    tracing::info!(group, key, took = ?begun.elapsed(), "ran");
    if outcome.is_ok()
        && let Some(done) = context.states().get::<Done>()
    {
        done.send_modify(|done| *done += 1);
    }
    outcome
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (broker, store) = (argument("memory://shop"), argument("memory://shop"));

    // New orders for every run, so that a store that lasts has not seen them.
    let run = fastrand::u32(..);
    let orders: Vec<Envelope> = (0..ORDERS)
        .flat_map(|order| {
            let head = format!(r#""order_id": "order-{run}-{order}""#);
            [
                format!(r#"{{{head}, "seq": 1, "type": "OrderCreated", "amount_cents": 4200}}"#),
                format!(r#"{{{head}, "seq": 2, "type": "OrderRated", "stars": 5}}"#),
                format!(r#"{{{head}, "seq": 3, "type": "OrderShipped", "carrier": "post"}}"#),
            ]
        })
        .map(Envelope::new)
        .collect();
    let payments: Vec<Envelope> = (1..=3)
        .map(|seq| format!(r#"{{"account": "account-{run}", "seq": {seq}, "cents": {seq}00}}"#))
        .map(Envelope::new)
        .collect();
    let events = orders.len() + payments.len();

    let (done, mut is_done) = watch::channel(0);
    let app = App::connect(&broker, &store)
        .await?
        .state(Arc::new(done))
        .worker(|worker| worker.middleware(timed))
        .queue(
            "shop-orders",
            Router::new()
                .group("shop-orders")
                .handler(order_created)
                .handler(order_shipped)
                // Nobody here needs to know how an order was rated.
                .unhandled(Unhandled::Ignore),
        )
        .queue("shop-payments", apply_payment);

    for (queue, mut events) in [("shop-orders", orders), ("shop-payments", payments)] {
        shuffle_within(&mut events, 5, &mut fastrand::Rng::new());
        let publisher = ordered_events::publisher(&broker, queue).await?;
        publisher.publish(events).await?;
    }
    app.run_until(async move {
        tokio::select! {
            // The sender lives as long as the workers, which have it.
            _ = is_done.wait_for(|done| *done >= events) => {}
            () = shutdown_signal() => {}
        }
    })
    .await?;
    println!(
        "{events} events, each in the order of its key; the ratings had no handler, and were ignored"
    );
    Ok(())
}
