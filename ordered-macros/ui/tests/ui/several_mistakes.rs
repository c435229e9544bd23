use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[ordered_handler(kay = "order_id", seq = "seq", timeout = "30", max_attempts = 0)]
async fn apply_order(event: OrderEvent) {
    drop((event.order_id, event.seq));
}

fn main() {}
