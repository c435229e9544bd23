use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;
use ordered_core::event::{EventId, Key};
use serde::Serialize;

use crate::error::{PostgresError, PostgresErrorKind};

/// An event to be staged: what becomes a row of `ordered_outbox`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// What kind of thing the key names, such as `order`: for people and for routers. It is no part of the key: two
    /// kinds with the same key share one numbering.
    pub aggregate_type: String,
    /// Events of one key are numbered 1, 2, 3, … and handled in this order.
    pub key: Key,
    /// What happened, such as `order_placed`.
    pub event_type: String,
    /// The body of the event.
    pub payload: Payload,
    /// Headers of the message, besides those of `ordered`.
    pub headers: BTreeMap<String, String>,
    /// The producer's span, as the header `traceparent` of the W3C has it.
    pub trace: Option<String>,
    /// What makes it this event; without one it gets a random UUID.
    pub id: Option<EventId>,
}

/// What [`Outbox::stage`](super::Outbox::stage) takes: an [`OutboxEvent`], or a struct of the application's own with
/// `#[derive(OrderedEvent)]` (of `ordered-events`), which is the same that its handler reads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event that can be staged",
    note = "write `#[derive(serde::Serialize, ordered_events::OrderedEvent)]` and `#[ordered(key = \"order_id\")]` above it, or \
            stage an `OutboxEvent`"
)]
pub trait OrderedEvent {
    /// The event as it is staged.
    ///
    /// # Errors
    /// [`PostgresErrorKind::Invalid`] when its key or its id is empty or too long, or it cannot be written as JSON.
    fn to_outbox(&self) -> Result<Cow<'_, OutboxEvent>, PostgresError>;
}

impl OrderedEvent for OutboxEvent {
    fn to_outbox(&self) -> Result<Cow<'_, OutboxEvent>, PostgresError> {
        Ok(Cow::Borrowed(self))
    }
}

/// A field that can be a header, or the type of an event: everything that has a text form.
#[diagnostic::on_unimplemented(
    message = "a header and the type of an event must have a text form, and a `{Self}` has none",
    label = "does not implement `Display`",
    note = "it may be of any type that implements `Display`: a String, an integer, a Uuid, a type of yours"
)]
#[doc(hidden)]
pub trait HeaderValue {
    fn to_header(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> HeaderValue for T {
    fn to_header(&self) -> String {
        self.to_string()
    }
}

/// What the derive makes first of an event.
#[doc(hidden)]
pub fn outbox_event(
    aggregate_type: impl Into<String>,
    key: Key,
    event_type: impl Into<String>,
    event: &impl Serialize,
) -> Result<OutboxEvent, PostgresError> {
    let json = serde_json::to_string(event)
        .map_err(|error| invalid_event(format!("the event cannot be written as JSON: {error}")))?;
    Ok(OutboxEvent::new(
        aggregate_type,
        key,
        event_type,
        Payload::Json(json),
    ))
}

/// A field of an event that cannot be what the derive says it is.
#[doc(hidden)]
pub fn invalid_event(error: impl Display) -> PostgresError {
    PostgresError::new(PostgresErrorKind::Invalid, error.to_string())
}

/// The body of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// JSON, kept as it is written. Postgres refuses what is not JSON.
    Json(String),
    /// Anything.
    Bytes(Bytes),
}

impl OutboxEvent {
    /// An event with this payload, without headers.
    #[must_use]
    pub fn new(
        aggregate_type: impl Into<String>,
        key: Key,
        event_type: impl Into<String>,
        payload: Payload,
    ) -> Self {
        Self {
            aggregate_type: aggregate_type.into(),
            key,
            event_type: event_type.into(),
            payload,
            headers: BTreeMap::new(),
            trace: None,
            id: None,
        }
    }

    /// An event whose payload is this value as JSON.
    ///
    /// # Errors
    /// [`PostgresErrorKind::Invalid`] when the value cannot be written as JSON, or the key is no key.
    pub fn json(
        aggregate_type: impl Into<String>,
        key: impl AsRef<str>,
        event_type: impl Into<String>,
        payload: &impl Serialize,
    ) -> Result<Self, PostgresError> {
        let invalid = |text: String| PostgresError::new(PostgresErrorKind::Invalid, text);
        let key = Key::new(key).map_err(|error| invalid(error.to_string()))?;
        let json = serde_json::to_string(payload)
            .map_err(|error| invalid(format!("the payload cannot be written as JSON: {error}")))?;
        Ok(Self::new(
            aggregate_type,
            key,
            event_type,
            Payload::Json(json),
        ))
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// With the producer's span, as the header `traceparent` has it.
    #[must_use]
    pub fn trace(mut self, traceparent: impl Into<String>) -> Self {
        self.trace = Some(traceparent.into());
        self
    }

    /// With an id of your own.
    #[must_use]
    pub fn id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }
}
