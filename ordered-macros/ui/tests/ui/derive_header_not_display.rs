use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "order_id")]
struct Placed {
    order_id: String,
    #[ordered(header = "x-tags")]
    tags: Vec<String>,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Placed>();
}
