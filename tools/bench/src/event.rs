//! The event of all loads, as any producer writes it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::load::Placed;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderEvent {
    pub(crate) order_id: String,
    pub(crate) seq: u64,
    pub(crate) payload: Payload,
    pub(crate) event_id: Uuid,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) text: String,
}

impl OrderEvent {
    /// The body of an event, of `bytes` bytes or, where that is too short for it, without text.
    pub(crate) fn body(placed: Placed, bytes: usize) -> Vec<u8> {
        let mut event = Self {
            order_id: format!("order-{:06}", placed.key),
            seq: placed.seq,
            payload: Payload {
                text: String::new(),
            },
            event_id: id(placed.index),
        };
        let bare = serde_json::to_vec(&event).unwrap_or_default();
        event.payload.text = "x".repeat(bytes.saturating_sub(bare.len()));
        serde_json::to_vec(&event).unwrap_or_default()
    }
}

/// An id that looks like any other, and from which its event's place among all can be read.
fn id(index: u64) -> Uuid {
    let scrambled = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    Uuid::from_u64_pair(scrambled, index)
}

/// The place among all events.
pub(crate) fn index(id: &Uuid) -> u64 {
    id.as_u64_pair().1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_size_that_was_asked_for_and_can_be_read() {
        let placed = Placed {
            key: 7,
            seq: 3,
            index: 99,
        };
        for bytes in [150, 1_000, 16_000] {
            let body = OrderEvent::body(placed, bytes);
            assert_eq!(body.len(), bytes);
            let event: OrderEvent = serde_json::from_slice(&body).unwrap();
            assert_eq!((event.order_id.as_str(), event.seq), ("order-000007", 3));
            assert_eq!(index(&event.event_id), 99);
        }
    }
}
