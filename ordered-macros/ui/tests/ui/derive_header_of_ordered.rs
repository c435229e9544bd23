use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "order_id")]
struct Placed {
    order_id: String,
    #[ordered(header = "x-ordered-seq")]
    cents: u64,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Placed>();
}
