use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    tenant: String,
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = ["tenant", order_id], seq = "seq")]
async fn apply_order(event: OrderEvent) {
    drop((event.tenant, event.order_id, event.seq));
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
