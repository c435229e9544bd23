//! The events, and the order in which a careless broker is given them.

use ordered_events::Envelope;
use ordered_events::core::transport::shuffle_within;
use ordered_testkit::history::Event;
use serde::{Deserialize, Serialize};

/// An event on the wire.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OrderEvent {
    pub(crate) order_id: String,
    pub(crate) seq: u64,
    pub(crate) event_id: String,
}

impl From<&OrderEvent> for Event {
    fn from(event: &OrderEvent) -> Self {
        Self {
            key: event.order_id.clone(),
            seq: event.seq,
            id: event.event_id.clone(),
        }
    }
}

impl OrderEvent {
    pub(crate) fn envelope(&self) -> Envelope {
        Envelope::new(serde_json::to_vec(self).expect("it is made of text and numbers"))
    }

    pub(crate) fn read(envelope: &Envelope) -> Option<Self> {
        serde_json::from_slice(&envelope.body).ok()
    }
}

/// How far an event is moved from its place, at the most.
const SHUFFLE: usize = 500;
/// One event in so many comes again near its place, and one far behind it.
const DUPLICATES: usize = 10;
const LATE_DUPLICATES: usize = 50;
const LATE: usize = 5_000;
/// One seq in so many is claimed by a second event.
const IMPOSTORS: usize = 2_000;

/// `events` events over `keys` keys, key by key in turn, with duplicates and impostors, shuffled.
pub(crate) fn all(events: usize, keys: usize, random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    let mut placed = Vec::with_capacity(events + events / 8);
    for place in 0..events {
        let (key, seq) = (place % keys, place / keys + 1);
        let event = OrderEvent {
            order_id: format!("order-{key}"),
            seq: seq as u64,
            event_id: format!("{:016x}", random.u64(..)),
        };
        if random.usize(0..DUPLICATES) == 0 {
            placed.push((place, event.clone()));
        }
        if random.usize(0..LATE_DUPLICATES) == 0 {
            placed.push((place + random.usize(..LATE), event.clone()));
        }
        if random.usize(0..IMPOSTORS) == 0 {
            let event_id = format!("impostor-{:016x}", random.u64(..));
            let event = event.clone();
            placed.push((place, OrderEvent { event_id, ..event }));
        }
        placed.push((place, event));
    }
    placed.sort_by_key(|(place, _)| *place);
    let mut all = placed.into_iter().map(|(_, event)| event).collect();
    shuffle_within(&mut all, SHUFFLE, random);
    all
}
