use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = "order_id", seq = "seq", batch = 100)]
async fn apply_order(events: &[OrderEvent]) {
    drop(events.iter().map(|event| (&event.order_id, event.seq)).count());
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
