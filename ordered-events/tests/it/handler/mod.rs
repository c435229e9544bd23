//! What `#[ordered_handler]` makes of a function.

mod batches;
mod beginning;
mod calling;
mod codecs;
mod identity;
mod malformed;
mod options;
mod orders;
mod outcome;
mod oversized;
mod places;
mod shapes;
mod unknown_types;

use std::sync::Arc;

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{ContextParts, States};
use ordered_core::protocol::{Fence, WorkerId};
use ordered_events::{Context, Handler, HandlerError};

fn envelope(body: impl ToString) -> Envelope {
    Envelope::new(body.to_string())
}

/// Key, seq and id of the event.
fn identity<H: Handler>(handler: H, body: impl ToString) -> (String, u64, String) {
    let decoded = handler.decode(&envelope(body)).unwrap();
    (
        decoded.key.to_string(),
        decoded.seq.get(),
        decoded.id.to_string(),
    )
}

/// Why the body is not an event of the handler.
fn refusal<H: Handler>(handler: H, body: impl Into<Vec<u8>>) -> String {
    match handler.decode(&Envelope::new(body.into())) {
        Ok(decoded) => panic!("taken as {:?} {:?}", decoded.key, decoded.seq),
        Err(malformed) => malformed.to_string(),
    }
}

/// Decodes and calls as the worker does, without its checks.
async fn handle<H: Handler>(
    handler: H,
    body: impl ToString,
    states: States,
) -> Result<(), HandlerError> {
    let envelope = envelope(body);
    let decoded = handler.decode(&envelope).unwrap();
    let context = Context::new(ContextParts {
        key: decoded.key,
        seq: decoded.seq,
        id: decoded.id,
        envelope,
        states: Arc::new(states),
        ..parts(&handler)
    });
    handler.call(decoded.event, context).await
}

fn parts<H: Handler>(handler: &H) -> ContextParts {
    ContextParts {
        group: handler.options().group.into(),
        worker: WorkerId::new("worker"),
        key: Key::new("key").unwrap(),
        epoch: 0,
        seq: Seq::new(1).unwrap(),
        id: EventId::new("id").unwrap(),
        attempt: 1,
        fence: Fence(1),
        received_at: 0,
        envelope: Envelope::default(),
        states: Arc::default(),
    }
}
