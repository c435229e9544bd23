use ordered_events::Publisher;
use serde::Serialize;

#[derive(Serialize)]
struct Placed {
    order_id: String,
}

fn place(publisher: &Publisher, event: &Placed) {
    drop(publisher.publish(event));
}

fn main() {}
