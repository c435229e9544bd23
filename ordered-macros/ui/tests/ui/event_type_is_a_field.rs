use ordered_events::ordered_handler;

#[derive(serde::Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = "order_id", seq = "seq", on = "OrderCreated", event_type = "payload.kind")]
async fn apply_order(_event: OrderEvent) {}

fn main() {}
