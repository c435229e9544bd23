use ordered_events::*;

struct MessagePack;

#[ordered_handler(key = "header:key", seq = "header:seq", decode = MessagePack)]
async fn apply_order(_event: u64) {}

fn main() {
    drop(MessagePack);
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
