use ordered_events::{Handler, ordered_handler};

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply_order(event: OrdrEvent) {
    drop(event);
}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
