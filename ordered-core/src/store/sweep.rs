use std::time::Duration;

use bytes::Bytes;

use crate::event::Key;
use crate::protocol::{Fence, Millis};

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// About how many keys of each kind to find.
    pub limit: usize,
    /// The longest wait that a key can be listed for. A key that is due later than that from now was listed before the
    /// store's clock stepped back, and is found too.
    pub longest_wait: Duration,
    /// After how long a key that waits for an event counts as stuck.
    pub stuck_after: Duration,
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// The store's time.
    pub now: Millis,
    /// Keys that are due and that nobody alive owns, longest due first; those of a clock that stepped back come last.
    pub due: Vec<Key>,
    /// Keys whose owner is dead, or left without giving them up.
    pub orphaned: Vec<Key>,
    /// Keys that have waited longer than `stuck_after` for an event.
    pub stuck: Vec<StuckRecord>,
    /// How many keys are halted.
    pub halted: u64,
    /// Since when the key that has waited longest for an event waits.
    pub oldest_gap: Option<Millis>,
}

/// A key that has waited too long for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckRecord {
    /// The key.
    pub key: Key,
    /// Since when.
    pub since: Millis,
    /// The fence of the last grant, which the body is decoded with.
    pub fence: Fence,
    /// Its body.
    pub body: Bytes,
}
