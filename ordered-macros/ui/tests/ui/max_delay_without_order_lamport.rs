use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    branch: String,
    seq: u64,
    time: u64,
}

#[ordered_handler(key = "order_id", seq = "seq", max_delay = "5s")]
async fn apply_order(event: OrderEvent) {
    let _ = (event.order_id, event.branch, event.seq, event.time);
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
