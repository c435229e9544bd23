use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

impl OrderEvent {
    #[ordered_handler(key = "order_id", seq = "seq")]
    async fn apply_order(&self, event: OrderEvent) {
        drop((self, event));
    }
}

fn main() {}
