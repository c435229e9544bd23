use ordered_events::{OrderedEvent, StampedEvent};
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "post", producer = "author", clock = "vector")]
struct Comment {
    post: String,
    author: String,
    vector: u64,
}

fn main() {
    fn is_stamped<T: StampedEvent>() {}
    is_stamped::<Comment>();
}
