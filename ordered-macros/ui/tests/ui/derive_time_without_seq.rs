use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "account", producer = "branch", time = "time")]
struct Booking {
    account: String,
    branch: String,
    time: u64,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Booking>();
}
