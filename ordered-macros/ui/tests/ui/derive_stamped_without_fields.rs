use ordered_events::{OrderedEvent, StampedEvent};
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "order_id")]
struct Placed {
    order_id: String,
}

fn main() {
    fn is_stamped<T: StampedEvent>() {}
    is_stamped::<Placed>();
}
