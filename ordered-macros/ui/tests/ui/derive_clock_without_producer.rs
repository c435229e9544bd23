use ordered_events::OrderedEvent;
use ordered_events::core::logical::VectorClock;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "post", clock = "vector")]
struct Comment {
    post: String,
    vector: VectorClock,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Comment>();
}
