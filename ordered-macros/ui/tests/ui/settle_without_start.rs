use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = "order_id", seq = "seq", settle = "30s")]
async fn apply_order(event: OrderEvent) {
    drop((event.order_id, event.seq));
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
