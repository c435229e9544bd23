use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
enum OrderEvent {
    Created { order_id: String, seq: u64 },
}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply_order(event: OrderEvent) {
    let OrderEvent::Created { order_id, seq } = event;
    drop((order_id, seq));
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
