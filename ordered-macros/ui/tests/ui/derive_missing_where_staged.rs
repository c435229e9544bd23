use ordered_events::postgres::Outbox;
use ordered_events::postgres::outbox::OutboxTransaction;
use serde::Serialize;

#[derive(Serialize)]
struct Placed {
    order_id: String,
}

fn place(tx: &mut impl OutboxTransaction, event: &Placed) {
    drop(Outbox::stage(tx, event));
}

fn main() {}
