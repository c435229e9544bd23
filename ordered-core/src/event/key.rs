use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The key of an event: events of one key are handled in order, keys are independent of each other.
///
/// Any non-empty UTF-8 text of at most [`Key::MAX_BYTES`] bytes; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Why a text cannot be a [`Key`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
