//! The framework in the orders besides 1, 2, 3, …. Each is a handler.

use ordered_events::core::logical::VectorClock;
use ordered_events::{HandlerError, State, ordered_handler};
use serde::Deserialize;
use uuid::Uuid;

use super::work::Work;
use crate::event::{OrderEvent, Payload};

#[ordered_handler(key = "order_id", id = "event_id", order = "arrival")]
pub(super) async fn in_arrival(
    event: OrderEvent,
    State(work): State<Work>,
) -> Result<(), HandlerError> {
    work.on(event).await
}

#[ordered_handler(key = "order_id", seq = "seq", id = "event_id", order = "monotonic")]
pub(super) async fn in_monotonic(
    event: OrderEvent,
    State(work): State<Work>,
) -> Result<(), HandlerError> {
    work.on(event).await
}

/// The event with its stamp.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read as the others read it")]
pub(super) struct StampedEvent {
    order_id: String,
    seq: u64,
    payload: Payload,
    event_id: Uuid,
    producer: String,
    vector: VectorClock,
    number: u64,
    time: u64,
}

#[ordered_handler(
    key = "order_id",
    id = "event_id",
    order = "causal",
    producer = "producer",
    clock = "vector"
)]
pub(super) async fn in_causal(
    event: StampedEvent,
    State(work): State<Work>,
) -> Result<(), HandlerError> {
    work.on(event).await
}

#[ordered_handler(
    key = "order_id",
    id = "event_id",
    order = "lamport",
    producer = "producer",
    seq = "number",
    time = "time"
)]
pub(super) async fn in_lamport(
    event: StampedEvent,
    State(work): State<Work>,
) -> Result<(), HandlerError> {
    work.on(event).await
}
