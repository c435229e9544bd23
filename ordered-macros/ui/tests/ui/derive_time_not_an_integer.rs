use ordered_events::{OrderedEvent, StampedEvent};
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "account", producer = "branch", seq = "seq", time = "time")]
struct Booking {
    account: String,
    branch: String,
    seq: u64,
    time: String,
}

fn main() {
    fn is_stamped<T: StampedEvent>() {}
    is_stamped::<Booking>();
}
