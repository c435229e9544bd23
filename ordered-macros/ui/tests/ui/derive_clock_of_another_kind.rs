use ordered_events::core::logical::LamportClock;
use ordered_events::{OrderedEvent, StampedEvent};
use serde::Serialize;

#[derive(Serialize, OrderedEvent)]
#[ordered(key = "account", producer = "branch", seq = "seq", time = "time")]
struct Booking {
    account: String,
    branch: String,
    seq: u64,
    time: u64,
}

fn send(mut booking: Booking, clock: &mut LamportClock) {
    let _ = booking.stamp(clock);
}

fn main() {
    let _ = send;
}
