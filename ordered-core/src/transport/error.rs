use std::error::Error;
use std::fmt;

/// A failure of a transport.
pub struct TransportError {
    kind: TransportErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportErrorKind {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn passes(self) -> bool {
        match self {
            Self::Unavailable | Self::Busy => true,
            Self::Fatal => false,
        }
    }
}

/// What to make of a [`TransportError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The broker cannot be reached, or does not answer; it passes.
    Unavailable,
    /// The broker is there and takes nothing for now: a full queue, flow control, throttling. It passes.
    Busy,
    /// It will not pass: the message says what to do.
    Fatal,
}

impl TransportError {
    /// The broker is unavailable; it passes.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            kind: TransportErrorKind::Unavailable,
            message: message.into(),
            source: None,
        }
    }

    /// The broker is there and takes nothing for now; it passes.
    pub fn busy(message: impl Into<String>) -> Self {
        Self {
            kind: TransportErrorKind::Busy,
            message: message.into(),
            source: None,
        }
    }

    /// It will not pass; the message says what to do.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self {
            kind: TransportErrorKind::Fatal,
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

    /// What to make of it.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl std::fmt::Debug for TransportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error_text::write_with_causes(self, f)
    }
}
