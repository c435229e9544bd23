//! The events, as any producer in any language writes them:
//! `{"order_id": "order-17", "seq": 1, "payload": {"type": "OrderCreated", …}, "event_id": "<uuid>"}`. The type alone
//! is a payload, too: what else there is may be left out.

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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum OrderChange {
    OrderCreated {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount_cents: Option<u64>,
    },
    PaymentCaptured {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount_cents: Option<u64>,
    },
    OrderPacked {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parcel: Option<String>,
    },
    OrderShipped {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        carrier: Option<String>,
    },
    OrderDelivered,
    NoteAdded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
}

impl OrderChange {
    /// What commonly happens to an order as its `seq`th event.
    pub(crate) fn typical(seq: u64) -> Self {
        match seq {
            1 => Self::OrderCreated {
                customer: Some("Ada".into()),
                amount_cents: Some(4_200),
            },
            2 => Self::PaymentCaptured {
                amount_cents: Some(4_200),
            },
            3 => Self::OrderPacked {
                parcel: Some("P-1".into()),
            },
            4 => Self::OrderShipped {
                carrier: Some("Hermes".into()),
            },
            5 => Self::OrderDelivered,
            _ => Self::NoteAdded {
                text: Some(format!("note {}", seq - 5)),
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
            } => {
                f.write_str("OrderCreated")?;
                detail(f, " by ", customer.as_ref())?;
                detail(f, ", ", cents(*amount_cents).as_ref())
            }
            Self::PaymentCaptured { amount_cents } => {
                f.write_str("PaymentCaptured")?;
                detail(f, ", ", cents(*amount_cents).as_ref())
            }
            Self::OrderPacked { parcel } => {
                f.write_str("OrderPacked")?;
                detail(f, " in ", parcel.as_ref())
            }
            Self::OrderShipped { carrier } => {
                f.write_str("OrderShipped")?;
                detail(f, " with ", carrier.as_ref())
            }
            Self::OrderDelivered => f.write_str("OrderDelivered"),
            Self::NoteAdded { text } => {
                f.write_str("NoteAdded")?;
                detail(f, ": ", text.as_ref())
            }
        }
    }
}

fn cents(amount: Option<u64>) -> Option<String> {
    amount.map(|amount| format!("{amount} ¢"))
}

fn detail(f: &mut fmt::Formatter<'_>, before: &str, detail: Option<&String>) -> fmt::Result {
    detail.map_or(Ok(()), |detail| write!(f, "{before}{detail}"))
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
