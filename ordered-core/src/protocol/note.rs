use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::{Envelope, EnvelopeError, EventId};
use crate::protocol::{DeadCause, Millis};
use crate::store::Letter;

/// What is noted beside an event that is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldNote {
    /// Since when it is held, by the store's clock.
    pub since: Millis,
    /// Up to which seq its key was committed when its id was looked up and was not among the remembered ones.
    pub checked: Option<u64>,
}

/// What is noted beside a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeadNote {
    /// Why it was taken out of the order.
    pub cause: DeadCause,
    /// The last error.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was dead-lettered, or failed last, by the store's clock.
    pub at: Millis,
}

impl HeldNote {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// The inverse of [`HeldNote::encode`]; the beginning of time for what cannot be read.
    #[must_use]
    pub fn decode(note: &[u8]) -> Self {
        postcard::from_bytes(note).unwrap_or(Self {
            since: 0,
            checked: None,
        })
    }

    /// The event as a letter.
    #[must_use]
    pub fn letter(&self, id: &EventId, envelope: &Envelope) -> Letter {
        Letter {
            id: id.clone(),
            note: self.encode(),
            data: envelope.encode(),
        }
    }
}

impl DeadNote {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// The inverse of [`DeadNote::encode`].
    #[must_use]
    pub fn decode(note: &[u8]) -> Option<Self> {
        postcard::from_bytes(note).ok()
    }

    /// The event as a letter.
    #[must_use]
    pub fn letter(&self, id: &EventId, envelope: &Envelope) -> Letter {
        Letter {
            id: id.clone(),
            note: self.encode(),
            data: envelope.encode(),
        }
    }
}

/// The event of a letter.
///
/// # Errors
/// When the data is damaged.
pub fn stored_event(letter: &Letter) -> Result<Envelope, EnvelopeError> {
    Envelope::decode(letter.data.clone())
}

fn encode<T: Serialize>(note: &T) -> Bytes {
    postcard::to_extend(note, Vec::new())
        .expect("numbers and strings always serialise into memory")
        .into()
}
