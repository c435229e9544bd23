use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;
use serde::Serialize;

use super::outgoing::random_id;
use super::{Outgoing, header};
use crate::event::{Envelope, EventId, Key, Seq, TraceParent};

/// An event that an application makes, before it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
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

/// What can be published or staged: a [`NewEvent`], or a struct of the application's own with
/// `#[derive(OrderedEvent)]` (of `ordered-events`), which is the same that its handler reads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event that can be published",
    note = "write `#[derive(serde::Serialize, ordered_events::OrderedEvent)]` and `#[ordered(key = \"order_id\")]` \
            above it, or give a `NewEvent`"
)]
pub trait OrderedEvent {
    /// The event as it is published.
    ///
    /// # Errors
    /// When its key or its id is empty or too long, or it cannot be written as JSON.
    fn to_event(&self) -> Result<Cow<'_, NewEvent>, InvalidEvent>;
}

impl OrderedEvent for NewEvent {
    fn to_event(&self) -> Result<Cow<'_, NewEvent>, InvalidEvent> {
        Ok(Cow::Borrowed(self))
    }
}

/// Why a value cannot be an event, in words for a person.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEvent(pub String);

crate::debug_as_text!(InvalidEvent);

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
pub fn new_event(
    aggregate_type: impl Into<String>,
    key: Key,
    event_type: impl Into<String>,
    event: &impl Serialize,
) -> Result<NewEvent, InvalidEvent> {
    let json = serde_json::to_string(event)
        .map_err(|error| invalid_event(format!("the event cannot be written as JSON: {error}")))?;
    Ok(NewEvent::new(
        aggregate_type,
        key,
        event_type,
        Payload::Json(json),
    ))
}

/// A field of an event that cannot be what the derive says it is.
#[doc(hidden)]
pub fn invalid_event(error: impl Display) -> InvalidEvent {
    InvalidEvent(error.to_string())
}

/// The body of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON, kept as it is written.
    Json(String),
    /// Anything.
    Bytes(Bytes),
}

impl NewEvent {
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
    /// When the value cannot be written as JSON, or the key is no key.
    pub fn json(
        aggregate_type: impl Into<String>,
        key: impl AsRef<str>,
        event_type: impl Into<String>,
        payload: &impl Serialize,
    ) -> Result<Self, InvalidEvent> {
        let key = Key::new(key).map_err(invalid_event)?;
        let json = serde_json::to_string(payload).map_err(|error| {
            invalid_event(format!("the payload cannot be written as JSON: {error}"))
        })?;
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

    /// The message: the payload, the headers of the event, and those of `ordered`. The seq is a header where one is
    /// given; otherwise it is in the payload, or the event has none.
    #[must_use]
    pub fn to_outgoing(&self, seq: Option<Seq>) -> Outgoing {
        let id = self.id.clone().unwrap_or_else(random_id);
        let mut headers = self.headers.clone();
        let mut put = |name: &str, value: &str| headers.insert(name.to_owned(), value.to_owned());
        put(header::KEY, self.key.as_str());
        put(header::ID, id.as_str());
        put(header::TYPE, &self.event_type);
        put(header::AGGREGATE, &self.aggregate_type);
        if let Some(seq) = seq {
            put(header::SEQ, &seq.to_string());
        }
        if let Some(trace) = &self.trace {
            put(TraceParent::HEADER, trace);
        }
        let body = match &self.payload {
            Payload::Json(json) => Bytes::copy_from_slice(json.as_bytes()),
            Payload::Bytes(bytes) => bytes.clone(),
        };
        let envelope = Envelope {
            body,
            headers,
            published_at: None,
        };
        Outgoing::new(self.key.clone(), envelope).with_id(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_all_that_is_known_of_its_event() {
        let event = NewEvent::json("order", "order-7", "placed", &5).unwrap();
        let event = event.header("tenant", "acme").trace("00-…");
        let event = event.id(EventId::new("id-1").unwrap());
        let outgoing = event.to_outgoing(Some(Seq::new(3).unwrap()));
        let expected = [
            ("tenant", "acme"),
            ("traceparent", "00-…"),
            ("x-ordered-aggregate", "order"),
            ("x-ordered-id", "id-1"),
            ("x-ordered-key", "order-7"),
            ("x-ordered-seq", "3"),
            ("x-ordered-type", "placed"),
        ];
        let headers = outgoing.envelope().headers.iter();
        let headers: Vec<_> = headers.map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(headers, expected);
        assert_eq!(outgoing.envelope().body, "5");
        assert_eq!(Outgoing::from(outgoing.envelope().clone()), outgoing);
    }

    #[test]
    fn an_event_without_an_id_gets_one_that_no_other_has() {
        let event = NewEvent::json("order", "order-7", "placed", &5).unwrap();
        let ids = [event.to_outgoing(None), event.to_outgoing(None)];
        assert_ne!(ids[0].id().unwrap(), ids[1].id().unwrap());
        assert!(!ids[0].envelope().headers.contains_key(header::SEQ));
    }
}
