use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::InvalidEvent;
use crate::transport::TransportError;

/// An event that was not published, or of which it is not known whether it was.
pub struct NotPublished {
    kind: NotPublishedKind,
    message: String,
    source: Option<TransportError>,
}

crate::debug_as_text!(NotPublished);

/// Why an event was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotPublishedKind {
    /// It is no event: its key, its id or its body is none. It was not sent.
    Invalid,
    /// The broker does not take it, however often it is sent: the message says what to do.
    Refused,
    /// The broker has not confirmed it for as long as the publisher tries. It may have taken it all the same.
    GaveUp,
    /// An earlier event of its key was not published, and the publisher is told to
    /// [stop there](super::OnNotPublished::FailKey). It may have been sent.
    HeldBack,
    /// The publisher is closed, or its runtime has ended. The event may have been sent.
    Closed,
}

impl NotPublishedKind {
    /// All words for it.
    pub(super) const VALUES: &[&str] = &[
        Self::Invalid.as_str(),
        Self::Refused.as_str(),
        Self::GaveUp.as_str(),
        Self::HeldBack.as_str(),
        Self::Closed.as_str(),
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::GaveUp => "gave_up",
            Self::HeldBack => "held_back",
            Self::Closed => "closed",
        }
    }
}

impl NotPublished {
    /// Why.
    #[must_use]
    pub fn kind(&self) -> NotPublishedKind {
        self.kind
    }

    /// Whether the broker may have the event all the same. Publish it again with the same id, and workers recognise it.
    #[must_use]
    pub fn may_be_published(&self) -> bool {
        match self.kind {
            NotPublishedKind::Invalid | NotPublishedKind::Refused => false,
            NotPublishedKind::GaveUp | NotPublishedKind::HeldBack | NotPublishedKind::Closed => {
                true
            }
        }
    }

    pub(super) fn refused(error: TransportError) -> Self {
        Self {
            kind: NotPublishedKind::Refused,
            message: error.to_string(),
            source: Some(error),
        }
    }

    pub(super) fn gave_up(attempts: u32, tried_for: Duration, error: TransportError) -> Self {
        Self {
            kind: NotPublishedKind::GaveUp,
            message: format!(
                "the broker has not confirmed the event in {attempts} attempts within {tried_for:?} (`give_up_after`), \
                 and may have taken it: {error}"
            ),
            source: Some(error),
        }
    }

    pub(super) fn held_back() -> Self {
        Self {
            kind: NotPublishedKind::HeldBack,
            message: "an earlier event of the key was not published: publish that one first, and then this one \
                      again"
                .into(),
            source: None,
        }
    }

    pub(super) fn closed() -> Self {
        Self {
            kind: NotPublishedKind::Closed,
            message: "the publisher is closed; the broker may have taken the event".into(),
            source: None,
        }
    }
}

impl From<InvalidEvent> for NotPublished {
    fn from(error: InvalidEvent) -> Self {
        Self {
            kind: NotPublishedKind::Invalid,
            message: error.to_string(),
            source: None,
        }
    }
}

impl fmt::Display for NotPublished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for NotPublished {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
