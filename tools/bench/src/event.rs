//! The event of all loads, as any producer writes it.

use std::collections::BTreeMap;

use ordered_events::core::worker::Control;
use ordered_events::logical::LamportProducer;
use ordered_events::{Envelope, Key};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Failure;
use crate::load::Placed;

/// Who sends the events of each key, in turn.
const PRODUCERS: [&str; 3] = ["ada", "bob", "eve"];

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

/// The event with its stamp.
#[derive(Serialize)]
struct Stamped<'a> {
    #[serde(flatten)]
    event: &'a OrderEvent,
    #[serde(flatten)]
    stamp: Stamp,
}

/// Who sent an event, and what that one knew: all that was sent before.
#[derive(Debug, Serialize)]
struct Stamp {
    producer: &'static str,
    vector: BTreeMap<&'static str, u64>,
    /// The number of the event among those of its producer and key, and the time of the producer's Lamport clock.
    number: u64,
    time: u64,
}

impl Stamp {
    fn of(seq: u64) -> Self {
        // Of the events 1 to `seq` each producer has sent every third.
        let vector: BTreeMap<&str, u64> = PRODUCERS
            .into_iter()
            .zip(0..)
            .map(|(producer, place)| (producer, (seq + 2 - place) / 3))
            .filter(|(_, count)| *count > 0)
            .collect();
        let place = usize::try_from((seq - 1) % 3).unwrap_or(0);
        Self {
            producer: PRODUCERS[place],
            vector,
            number: seq.div_ceil(3),
            time: seq,
        }
    }
}

/// What the producers of each key say behind these events: that they leave, so that the last ones are not waited for.
pub(crate) fn leaves(events: &[Placed]) -> Result<Vec<Envelope>, Failure> {
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    for event in events {
        let seq = last.entry(event.key).or_default();
        *seq = event.seq.max(*seq);
    }
    let mut said = Vec::new();
    for (key, seq) in last {
        let key = Key::new(order_id(key))?;
        let Stamp { vector, time, .. } = Stamp::of(seq);
        for (producer, after) in vector {
            let clock = LamportProducer::at(after, time);
            said.push(Control::leave(producer, clock).envelope(&key));
        }
    }
    Ok(said)
}

fn order_id(key: u32) -> String {
    format!("order-{key:06}")
}

impl OrderEvent {
    /// The body of an event, of `bytes` bytes or, where that is too short for it, without text.
    /// With a stamp where that is asked for.
    pub(crate) fn body(placed: Placed, bytes: usize, is_stamped: bool) -> Vec<u8> {
        let mut event = Self {
            order_id: order_id(placed.key),
            seq: placed.seq,
            payload: Payload {
                text: String::new(),
            },
            event_id: id(placed.index),
        };
        let bare = event.written(is_stamped);
        event.payload.text = "x".repeat(bytes.saturating_sub(bare.len()));
        event.written(is_stamped)
    }

    fn written(&self, is_stamped: bool) -> Vec<u8> {
        let written = if is_stamped {
            let (event, stamp) = (self, Stamp::of(self.seq));
            serde_json::to_vec(&Stamped { event, stamp })
        } else {
            serde_json::to_vec(self)
        };
        written.unwrap_or_default()
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
            let body = OrderEvent::body(placed, bytes, false);
            assert_eq!(body.len(), bytes);
            let event: OrderEvent = serde_json::from_slice(&body).unwrap();
            assert_eq!((event.order_id.as_str(), event.seq), ("order-000007", 3));
            assert_eq!(index(&event.event_id), 99);
        }
    }

    #[test]
    fn an_event_with_a_stamp_reads_as_one_without() {
        let placed = Placed {
            key: 7,
            seq: 3,
            index: 99,
        };
        let body = OrderEvent::body(placed, 250, true);
        assert_eq!(body.len(), 250);
        let event: OrderEvent = serde_json::from_slice(&body).unwrap();
        assert_eq!((event.order_id.as_str(), event.seq), ("order-000007", 3));
        let stamp: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(stamp["producer"], "eve");
        assert_eq!(stamp["vector"]["ada"], 1);
    }

    #[test]
    fn each_producer_of_a_key_leaves_behind_its_last_event() {
        let event = |key, seq| Placed { key, seq, index: 0 };
        let said = leaves(&[
            event(1, 1),
            event(7, 1),
            event(7, 2),
            event(7, 3),
            event(7, 4),
        ]);
        let said = said.unwrap().into_iter().map(|message| {
            let read = Control::read(&message).unwrap().unwrap();
            let (
                key,
                Control::Leave {
                    producer,
                    after,
                    time,
                },
            ) = read
            else {
                panic!("{read:?}");
            };
            (key.to_string(), producer, (after, time))
        });
        let left = |key: &str, producer: &str, clock| (key.to_owned(), producer.to_owned(), clock);
        let expected = [
            left("order-000001", "ada", (1, 1)),
            left("order-000007", "ada", (2, 4)),
            left("order-000007", "bob", (1, 4)),
            left("order-000007", "eve", (1, 4)),
        ];
        assert_eq!(said.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_stamp_counts_its_own_event_and_all_before_it() {
        let stamp = Stamp::of(5);
        assert_eq!(stamp.producer, "bob");
        let counts: Vec<_> = stamp.vector.into_iter().collect();
        assert_eq!(counts, [("ada", 2), ("bob", 2), ("eve", 1)]);
        let first = Stamp::of(1).vector.into_iter().collect::<Vec<_>>();
        assert_eq!(first, [("ada", 1)]);
    }
}
