use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply_order(event: OrderEvent, State(_): State<u8>) {
    drop((event.order_id, event.seq));
}

fn main() {
    let event = OrderEvent { order_id: "a".into(), seq: 1 };
    drop(apply_order(event));
}
