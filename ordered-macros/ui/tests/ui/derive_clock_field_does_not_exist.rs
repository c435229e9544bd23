use ordered_events::{OrderedEvent, StampedEvent};
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "post", time = "clock")]
struct Comment {
    post: String,
    time: u64,
}

fn main() {
    fn is_stamped<T: StampedEvent>() {}
    is_stamped::<Comment>();
}
