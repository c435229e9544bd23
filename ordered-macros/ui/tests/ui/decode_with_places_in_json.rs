use ordered_events::*;

struct Number;

impl Decode<u64> for Number {
    fn decode(_: &core::event::Envelope) -> Result<u64, Malformed> {
        Ok(1)
    }
}

#[ordered_handler(key = "/order_id", seq = "header:seq", id = "/id", decode = "Number", envelope = "sns")]
async fn apply_order(_event: u64) {}

fn main() {
    fn is_handler(_: impl Handler) {}
    is_handler(apply_order);
}
