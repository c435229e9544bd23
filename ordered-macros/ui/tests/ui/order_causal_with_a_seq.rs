use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    author: String,
    vector: std::collections::BTreeMap<String, u64>,
}

#[ordered_handler(key = "order_id", order = "causal", producer = "author", clock = "vector", seq = "author")]
async fn apply_order(event: OrderEvent) {
    let _ = (event.order_id, event.author, event.vector);
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
