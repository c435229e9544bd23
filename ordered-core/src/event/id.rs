use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::{Key, Seq};

/// What makes an event *this* event: two deliveries with the same id under the same key are the same event.
///
/// Any non-empty UTF-8 text of at most [`EventId::MAX_BYTES`] bytes, commonly a UUID; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Arc<str>);

/// Why a text cannot be an [`EventId`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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

crate::debug_as_text!(InvalidId);

impl EventId {
    /// The longest id, in bytes of UTF-8; long enough for the id of [content](EventId::of_content) under the longest
    /// key: 16 digits of seq, 32 of the digest, and what separates them.
    pub const MAX_BYTES: usize = Key::MAX_BYTES + 50;

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

    /// The id of an event that carries none: `key#seq#digest`, with a digest of the bytes of its body.
    ///
    /// A redelivery has the same bytes, and so the same id. Where a producer starts its numbering again, or two
    /// producers number one key, the bodies differ, and so do the ids: the second event is a conflict, which people
    /// see, and not a duplicate, which vanishes. So it is for one that is published again with other bytes, a newer
    /// timestamp for instance.
    ///
    /// The digest is SipHash-2-4 with 128 bits and a key of zeros. It never changes, because ids are remembered across
    /// versions. It tells apart what differs by mistake; it does not keep somebody from making two bodies with one
    /// digest on purpose.
    #[must_use]
    pub fn of_content(key: &Key, seq: Seq, body: &[u8]) -> Self {
        Self(format!("{key}#{seq}#{:032x}", digest(body)).into())
    }

    /// The id of an event that carries neither an id nor a seq: `key#digest`, with the digest of
    /// [`of_content`](EventId::of_content). Two events of a key with the same bytes are then one event, and run once:
    /// it is for bodies that differ whenever the events do, because they carry a time or a number of their own.
    #[must_use]
    pub fn of_body(key: &Key, body: &[u8]) -> Self {
        Self(format!("{key}#{:032x}", digest(body)).into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn digest(body: &[u8]) -> u128 {
    let mut hasher = SipHasher24::new();
    hasher.write(body);
    hasher.finish128().as_u128()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, seq: u64, body: &str) -> EventId {
        EventId::of_content(
            &Key::new(key).unwrap(),
            Seq::new(seq).unwrap(),
            body.as_bytes(),
        )
    }

    #[test]
    fn the_id_of_content_never_changes() {
        // Ids are remembered across versions: these may never be others.
        assert_eq!(
            of("a", 1, "").as_str(),
            "a#1#f4f2ced447ab02427de0a38047d74950"
        );
        assert_eq!(
            of("order-7", 12, r#"{"total":5}"#).as_str(),
            "order-7#12#9e2e4032d89d3600b08e4a5b0de38d43"
        );
    }

    #[test]
    fn the_id_of_a_body_never_changes() {
        let key = Key::new("a").unwrap();
        let id = EventId::of_body(&key, b"");
        assert_eq!(id.as_str(), "a#f4f2ced447ab02427de0a38047d74950");
    }

    #[test]
    fn the_id_of_content_differs_with_key_seq_and_body() {
        let id = of("a", 1, "body");
        assert_eq!(of("a", 1, "body"), id);
        for other in [of("b", 1, "body"), of("a", 2, "body"), of("a", 1, "bodies")] {
            assert_ne!(other, id);
        }
    }

    #[test]
    fn the_longest_id_of_content_is_an_id() {
        let id = of(&"k".repeat(Key::MAX_BYTES), Seq::MAX.get(), "body");
        assert_eq!(id.as_str().len(), EventId::MAX_BYTES);
        assert_eq!(EventId::new(id.as_str()), Ok(id));
    }
}
