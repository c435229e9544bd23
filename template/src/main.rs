//! A service that handles the events of orders, in order for each order and once.

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use ordered_events::prometheus::Prometheus;
use ordered_events::{App, HandlerError, Permanent, ordered_handler};
use serde::Deserialize;

/// An event as its producer sends it: `{"order_id": "order-7", "seq": 1, "event_id": "5b0c…", "amount_cents": 4200}`.
#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    /// 1, 2, 3, … for each order, without gaps.
    seq: u64,
    /// The same when the event is sent again.
    event_id: String,
    amount_cents: u64,
}

/// Any error is worth another try, after a pause; one that is `.permanent()` is not.
///
/// It may run more than once for an event, after a crash for instance: make its effect one that may be repeated.
#[ordered_handler(key = "order_id", seq = "seq", id = "event_id", group = "my-consumer")]
async fn apply_order(event: OrderEvent) -> Result<(), HandlerError> {
    if event.amount_cents == 0 {
        Err("an order must be worth something").permanent()?;
    }
    println!(
        "{} #{}: {} cents",
        event.order_id, event.seq, event.amount_cents
    );
    Ok(())
}

/// `ORDERED_TRANSPORT` (amqp://localhost) and `ORDERED_STORE` (redis://localhost) say where events and state are,
/// `ORDERED_QUEUE` which queue; `ORDERED_METRICS` is where metrics and probes are served.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let queue = env::var("ORDERED_QUEUE").unwrap_or_else(|_| "order-events".to_owned());
    let metrics = env::var("ORDERED_METRICS").unwrap_or_else(|_| "127.0.0.1:9464".to_owned());
    let metrics: SocketAddr = metrics.parse()?;
    let prometheus = Prometheus::install()?;
    App::from_env()
        .await?
        .queue(queue, apply_order)
        .metrics(prometheus, metrics)
        .run() // until Ctrl-C or SIGTERM
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use ordered_testkit::TestWorker;

    use super::*;

    fn event(seq: u64, amount_cents: u64) -> String {
        format!(
            r#"{{"order_id": "order-7", "seq": {seq}, "event_id": "e-{seq}", "amount_cents": {amount_cents}}}"#
        )
    }

    #[tokio::test(start_paused = true)]
    async fn events_run_in_order_and_a_bad_one_halts_its_order() {
        let report = TestWorker::new(apply_order)
            .publish(event(2, 100))
            .publish(event(1, 4200))
            .publish(event(1, 4200))
            .publish(event(4, 100))
            .publish(event(3, 0))
            .run_until_idle()
            .await;
        assert_eq!(report.handled("order-7"), [1, 2]);
        assert_eq!(
            report.halted("order-7"),
            Some("an order must be worth something")
        );
        assert_eq!(report.held("order-7"), [3, 4]);
    }
}
