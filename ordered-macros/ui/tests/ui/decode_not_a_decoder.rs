use ordered_events::*;

struct OrderEvent {
    order_id: String,
    seq: u64,
}

struct MessagePack;

#[ordered_handler(key = "order_id", seq = "seq", decode = "MessagePack")]
async fn apply_order(event: OrderEvent) {
    drop((event.order_id, event.seq));
}

fn main() {
    drop(MessagePack);
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
