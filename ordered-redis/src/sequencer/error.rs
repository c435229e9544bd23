use std::error::Error;
use std::fmt;

use ordered_core::publish::InvalidEvent;
use ordered_core::store::{StoreError, StoreErrorKind};

/// Why a [`Sequencer`](super::Sequencer) could not do what it was asked for.
pub struct SequencerError {
    kind: SequencerErrorKind,
    message: String,
    source: Option<StoreError>,
}

ordered_core::debug_as_text!(SequencerError);

/// What to make of a [`SequencerError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SequencerErrorKind {
    /// It is no event, or a setting is none. Nothing was done.
    Invalid,
    /// So much waits for the broker that nothing more is kept (`max_events`, `max_bytes`). Nothing was done; it passes
    /// when the broker takes events.
    Full,
    /// Redis is not there, or was not there long enough. The event may have been staged.
    Unavailable,
    /// Redis refuses, or has something else under our names: the message says what to do.
    Refused,
}

impl SequencerError {
    /// What to make of it.
    #[must_use]
    pub fn kind(&self) -> SequencerErrorKind {
        self.kind
    }

    fn new(kind: SequencerErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(SequencerErrorKind::Invalid, message)
    }

    pub(super) fn full(message: impl Into<String>) -> Self {
        Self::new(SequencerErrorKind::Full, message)
    }

    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(SequencerErrorKind::Refused, message)
    }

    pub(super) fn misshaped() -> Self {
        Self::refused("Redis answered in another shape: run the same version in all processes")
    }
}

impl From<InvalidEvent> for SequencerError {
    fn from(error: InvalidEvent) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<StoreError> for SequencerError {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::Unavailable => SequencerErrorKind::Unavailable,
            _ => SequencerErrorKind::Refused,
        };
        Self {
            kind,
            message: error.to_string(),
            source: Some(error),
        }
    }
}

impl fmt::Display for SequencerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SequencerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
