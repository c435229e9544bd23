use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "account", seq = "seq", time = "time")]
struct Booking {
    account: String,
    seq: u64,
    time: u64,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Booking>();
}
