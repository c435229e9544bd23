use std::fmt;
use std::sync::Arc;

/// A moment on the store's clock: milliseconds since the Unix epoch.
pub type Millis = u64;

/// A number per key that grows with every grant of the key to a worker.
///
/// A sink that remembers the highest one it has seen can refuse a worker whose grant is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of one run of one worker process; a restarted process has a new one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// Takes the text as it is. It must be unique among all workers of the group, past ones included.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// The name under which an operator owns a key for the time of one verb. `nonce` makes it unique.
    #[must_use]
    pub fn operator(who: &str, nonce: u64) -> Self {
        Self::new(format!("{OPERATOR}{who}:{nonce:016x}"))
    }

    /// Whether it is the name of an operator. Operators run no events, so the death of one is no event's fault.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.0.starts_with(OPERATOR)
    }

    /// Who the operator is, where it is the name of one.
    #[must_use]
    pub fn operator_name(&self) -> Option<&str> {
        let (who, _) = self.0.strip_prefix(OPERATOR)?.rsplit_once(':')?;
        Some(who)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the names of operators begin with.
const OPERATOR: &str = "operator:";

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an event was dead-lettered by the store.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[non_exhaustive]
pub enum DeadCause {
    /// It used up its attempts, or failed permanently, and its group does not halt at such events.
    Failed,
    /// An operator passed over it.
    Skipped,
    /// An operator took it out.
    Discarded,
    /// The numbering of its key was begun again.
    Superseded,
    /// It was posted, and its seq had been skipped.
    Late,
    /// It was posted, and another event was committed under its seq.
    Conflict,
    /// It was posted, and lies at or below the last committed seq under an id that is not remembered.
    Stale,
}
