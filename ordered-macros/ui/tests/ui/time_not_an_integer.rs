use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    branch: String,
    seq: u64,
    time: String,
}

#[ordered_handler(key = "order_id", order = "lamport", producer = "branch", seq = "seq", time = "time")]
async fn apply_order(event: OrderEvent) {
    let _ = (event.order_id, event.branch, event.seq, event.time);
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
