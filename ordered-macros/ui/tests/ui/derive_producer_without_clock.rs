use ordered_events::OrderedEvent;
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "post", producer = "author")]
struct Comment {
    post: String,
    author: String,
}

fn main() {
    fn is_event<T: OrderedEvent>() {}
    is_event::<Comment>();
}
