use ordered_events::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[ordered_handler(key = "order_id", seq = "seq")]
struct Apply;

fn main() {}
