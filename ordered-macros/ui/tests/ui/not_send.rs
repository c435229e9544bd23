use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply_order(event: OrderEvent) {
    let count = std::rc::Rc::new(event.seq);
    std::future::ready(event.order_id).await;
    drop(count);
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
