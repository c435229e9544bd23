use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "order_id")]
enum Placed {
    Online { order_id: String },
    InTheShop { order_id: String },
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Placed>();
}
