use ordered_events::OrderedEvent;

#[derive(OrderedEvent)]
#[ordered(key = "order_id")]
struct Placed {
    order_id: String,
    cents: u64,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Placed>();
}
