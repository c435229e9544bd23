use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

struct NoError;

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply_order(event: OrderEvent) -> Result<(), NoError> {
    drop((event.order_id, event.seq));
    Err(NoError)
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
