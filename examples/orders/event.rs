//! The events, as any producer in any language writes them:
//! `{"order_id": "order-17", "seq": 1, "payload": {"type": "OrderCreated", …}, "event_id": "<uuid>"}`.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OrderEvent {
    pub(crate) order_id: String,
    pub(crate) seq: u64,
    pub(crate) payload: OrderChange,
    pub(crate) event_id: Uuid,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum OrderChange {
    OrderCreated { customer: String, amount_cents: u64 },
    PaymentCaptured { amount_cents: u64 },
    OrderPacked { parcel: String },
    OrderShipped { carrier: String },
    OrderDelivered,
    NoteAdded { text: String },
}

impl OrderChange {
    /// What commonly happens to an order as its `seq`th event.
    pub(crate) fn typical(seq: u64) -> Self {
        match seq {
            1 => Self::OrderCreated {
                customer: "Ada".into(),
                amount_cents: 4_200,
            },
            2 => Self::PaymentCaptured {
                amount_cents: 4_200,
            },
            3 => Self::OrderPacked {
                parcel: "P-1".into(),
            },
            4 => Self::OrderShipped {
                carrier: "Hermes".into(),
            },
            5 => Self::OrderDelivered,
            _ => Self::NoteAdded {
                text: format!("note {}", seq - 5),
            },
        }
    }
}

impl fmt::Display for OrderChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OrderCreated {
                customer,
                amount_cents,
            } => write!(f, "OrderCreated by {customer}, {amount_cents} ¢"),
            Self::PaymentCaptured { amount_cents } => {
                write!(f, "PaymentCaptured, {amount_cents} ¢")
            }
            Self::OrderPacked { parcel } => write!(f, "OrderPacked in {parcel}"),
            Self::OrderShipped { carrier } => write!(f, "OrderShipped with {carrier}"),
            Self::OrderDelivered => f.write_str("OrderDelivered"),
            Self::NoteAdded { text } => write!(f, "NoteAdded: {text}"),
        }
    }
}

/// Events 1..=`events` for each of `keys` orders, round by round, with ids from the random numbers.
pub(crate) fn all(keys: u64, events: u64, random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    let places = (1..=events).flat_map(|seq| (1..=keys).map(move |key| (key, seq)));
    let event = |(key, seq)| OrderEvent {
        order_id: format!("order-{key}"),
        seq,
        payload: OrderChange::typical(seq),
        event_id: uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid(),
    };
    places.map(event).collect()
}
