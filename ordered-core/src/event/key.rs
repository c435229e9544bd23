use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The key of an event: events of one key are handled in order, keys are independent of each other.
///
/// Any non-empty UTF-8 text of at most [`Key::MAX_BYTES`] bytes; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Why a text cannot be a [`Key`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// The text is empty.
    #[error("the key is empty: every event must say which key it belongs to")]
    Empty,
    /// The text is longer than [`Key::MAX_BYTES`].
    #[error(
        "the key has {0} bytes, and a key may have {max} at most",
        max = Key::MAX_BYTES
    )]
    TooLong(usize),
}

crate::debug_as_text!(InvalidKey);

impl Key {
    /// The longest key, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 512;

    /// Checks the text and takes it as a key.
    ///
    /// # Errors
    /// When the text is empty or longer than [`Key::MAX_BYTES`].
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidKey> {
        let text = text.as_ref();
        match text.len() {
            0 => Err(InvalidKey::Empty),
            length if length > Self::MAX_BYTES => Err(InvalidKey::TooLong(length)),
            _ => Ok(Self(text.into())),
        }
    }

    /// One key of several parts, such as a tenant and an order: `acme/order-7`.
    ///
    /// `~` in a part is written `~0` and `/` is written `~1`, as in a JSON Pointer (RFC 6901), so that different parts
    /// never make the same key.
    ///
    /// # Errors
    /// When a part is empty, or the whole is longer than [`Key::MAX_BYTES`].
    pub fn join<P: AsRef<str>>(parts: impl IntoIterator<Item = P>) -> Result<Self, InvalidKey> {
        let mut joined = String::new();
        for (place, part) in parts.into_iter().enumerate() {
            let part = part.as_ref();
            if part.is_empty() {
                return Err(InvalidKey::Empty);
            }
            if place > 0 {
                joined.push('/');
            }
            for character in part.chars() {
                match character {
                    '~' => joined.push_str("~0"),
                    '/' => joined.push_str("~1"),
                    other => joined.push(other),
                }
            }
        }
        Self::new(joined)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Key {
    type Error = InvalidKey;

    fn try_from(text: &str) -> Result<Self, InvalidKey> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_of_parts_reads_like_a_path() {
        let join = |parts: &[&str]| Key::join(parts).map(|key| key.as_str().to_owned());
        assert_eq!(join(&["acme", "order-7"]).as_deref(), Ok("acme/order-7"));
        assert_eq!(join(&["a/b", "c~d"]).as_deref(), Ok("a~1b/c~0d"));
        assert_eq!(join(&["acme", ""]), Err(InvalidKey::Empty));
        assert_eq!(join(&[]), Err(InvalidKey::Empty));
        let long = "x".repeat(300);
        assert_eq!(join(&[&long, &long]), Err(InvalidKey::TooLong(601)));
    }

    proptest! {
        #[test]
        fn different_parts_never_make_one_key(
            one in vec("[a~/01]{1,4}", 1..4),
            other in vec("[a~/01]{1,4}", 1..4),
        ) {
            let same = Key::join(&one) == Key::join(&other);
            prop_assert_eq!(same, one == other);
        }
    }
}
