use std::fmt;
use std::sync::Arc;

use super::{Key, Seq};

/// What makes an event *this* event: two deliveries with the same id under the same key are the same event.
///
/// Any non-empty UTF-8 text of at most [`EventId::MAX_BYTES`] bytes, commonly a UUID; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Arc<str>);

/// Why a text cannot be an [`EventId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("the event id is empty: leave the field out, or give every event its own")]
    Empty,
    /// The text is longer than [`EventId::MAX_BYTES`].
    #[error(
        "the event id has {0} bytes, and an id may have {max} at most",
        max = EventId::MAX_BYTES
    )]
    TooLong(usize),
}

impl EventId {
    /// The longest id, in bytes of UTF-8; long enough for an id made of the longest key and its seq.
    pub const MAX_BYTES: usize = Key::MAX_BYTES + 20;

    /// Checks the text and takes it as an id.
    ///
    /// # Errors
    /// When the text is empty or longer than [`EventId::MAX_BYTES`].
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        let text = text.as_ref();
        match text.len() {
            0 => Err(InvalidId::Empty),
            length if length > Self::MAX_BYTES => Err(InvalidId::TooLong(length)),
            _ => Ok(Self(text.into())),
        }
    }

    /// The id of an event that carries none: its key and seq. Two such events with one seq cannot be told apart,
    /// so a conflict between two producers passes as a duplicate.
    #[must_use]
    pub fn of_position(key: &Key, seq: Seq) -> Self {
        Self(format!("{key}#{seq}").into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<&str> for EventId {
    type Error = InvalidId;

    fn try_from(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}
