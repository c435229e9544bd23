use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize)]
struct Meta {
    at: u64,
}

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "order_id", time = "meta.at")]
struct Placed {
    order_id: String,
    meta: Meta,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Placed>();
}
