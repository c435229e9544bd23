use uuid::Uuid;

use super::header;
use crate::event::{Envelope, EventId, Key};

/// An event on its way to a broker: the bytes and headers, and what the broker routes and recognises it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    key: Option<Key>,
    id: Option<EventId>,
    envelope: Envelope,
}

impl Outgoing {
    /// An event of this key. Events of one key are published in order.
    #[must_use]
    pub fn new(key: Key, envelope: Envelope) -> Self {
        Self {
            key: Some(key),
            id: None,
            envelope,
        }
    }

    /// With this id, by which a broker that deduplicates recognises it.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// The key: what a broker routes by. An event without one is in no order with others.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// The body and the headers.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub(super) fn envelope_mut(&mut self) -> &mut Envelope {
        &mut self.envelope
    }

    /// What it takes in memory, roughly, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.as_str().len());
        usize::try_from(self.envelope.size()).unwrap_or(usize::MAX) + key
    }
}

/// Key and id are those of the headers `x-ordered-key` and `x-ordered-id`, where there are any.
impl From<Envelope> for Outgoing {
    fn from(envelope: Envelope) -> Self {
        let header = |name| envelope.headers.get(name);
        Self {
            key: header(header::KEY).and_then(|text| Key::new(text).ok()),
            id: header(header::ID).and_then(|text| EventId::new(text).ok()),
            envelope,
        }
    }
}

/// An id that no other event has.
pub(super) fn random_id() -> EventId {
    EventId::new(Uuid::new_v4().to_string()).expect("a UUID is short, and not empty")
}
