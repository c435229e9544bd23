use ordered_events::core::logical::VectorClock;
use ordered_events::{OrderedEvent, StampedEvent};
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "post", producer = "author", clock = "vector", time = "time")]
struct Comment {
    post: String,
    author: String,
    vector: VectorClock,
    time: u64,
}

fn send(mut comment: Comment, clock: &mut VectorClock) {
    let _ = comment.stamp(clock);
}

fn main() {
    let _ = send;
}
