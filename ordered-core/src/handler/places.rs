//! Where an event says which one it is, as the group records it: so that an edit can be compared with it before it is
//! run.

#[cfg(feature = "admin")]
mod contradiction;

use serde::{Deserialize, Serialize};

use super::wrapped::sns_message;
use crate::event::Envelope;

/// Where a handler finds key, seq and id of an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventPlaces {
    around: Option<Wrapping>,
    /// Several parts make one key.
    key: Vec<EventPlace>,
    /// Nothing: the owner of a key numbers its events.
    seq: Option<EventPlace>,
    /// Nothing: the `event_id` of the JSON, if there is one.
    id: Option<EventPlace>,
}

/// What is around an event in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Wrapping {
    CloudEvents,
    Sns,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventPlace {
    /// A field of the event's type: a JSON Pointer to it under its name in Rust, which serde may have changed.
    Field(String),
    /// A JSON Pointer.
    Json(String),
    /// The name of a header.
    Header(String),
}

impl EventPlaces {
    /// These places; several of the key are parts of it.
    #[must_use]
    pub fn new(
        key: impl IntoIterator<Item = EventPlace>,
        seq: impl Into<Option<EventPlace>>,
        id: Option<EventPlace>,
    ) -> Self {
        Self {
            around: None,
            key: key.into_iter().collect(),
            seq: seq.into(),
            id,
        }
    }

    /// In CloudEvents.
    #[must_use]
    pub fn in_cloud_events(mut self) -> Self {
        self.around = Some(Wrapping::CloudEvents);
        self
    }

    /// In notifications of SNS.
    #[must_use]
    pub fn in_sns_messages(mut self) -> Self {
        self.around = Some(Wrapping::Sns);
        self
    }

    /// The event in a notification of SNS, where that is what messages are.
    pub(crate) fn of_sns(&self, envelope: &Envelope) -> Option<Envelope> {
        match self.around {
            Some(Wrapping::Sns) => sns_message(envelope).ok(),
            Some(Wrapping::CloudEvents) | None => None,
        }
    }

    /// Whether one of them is a header.
    pub(crate) fn reads_headers(&self) -> bool {
        let is_header = |place: &EventPlace| matches!(place, EventPlace::Header(_));
        let mut places = self.key.iter().chain(&self.seq).chain(&self.id);
        places.any(is_header)
    }
}
