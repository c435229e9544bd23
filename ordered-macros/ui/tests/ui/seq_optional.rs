use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: Option<String>,
    seq: Option<u64>,
    no: u64,
}

#[ordered_handler(key = "no", seq = "seq")]
async fn apply_order(event: OrderEvent) {
    drop((event.order_id, event.seq));
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
