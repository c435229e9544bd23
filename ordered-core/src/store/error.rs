use std::error::Error;
use std::fmt;

/// A failure of the store itself; what the protocol foresees is a [`Verdict`](crate::protocol::Verdict).
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What to make of a [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store is unavailable, out of memory or overloaded: the worker waits and repeats.
    Unavailable,
    /// The store will not do this however often it is asked: the worker stops with the message.
    Refused,
    /// The state of the group is gone, or another one has taken its place.
    StateLost,
}

impl StoreError {
    /// The store is unavailable; the worker will repeat.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            kind: StoreErrorKind::Unavailable,
            message: message.into(),
            source: None,
        }
    }

    /// The store will never do this; the message says what to do about it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self {
            kind: StoreErrorKind::Refused,
            message: message.into(),
            source: None,
        }
    }

    /// The state that the worker knew is gone.
    pub fn state_lost(message: impl Into<String>) -> Self {
        Self {
            kind: StoreErrorKind::StateLost,
            message: message.into(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, without its cause, for another that failed with it.
    #[cfg(feature = "admin")]
    pub(crate) fn again(&self) -> Self {
        Self {
            kind: self.kind,
            message: self.message.clone(),
            source: None,
        }
    }

    /// What to make of it.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl std::fmt::Debug for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error_text::write_with_causes(self, f)
    }
}
