use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "0")]
struct Placed(String, u64);

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Placed>();
}
