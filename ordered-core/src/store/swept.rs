use crate::event::Key;
use crate::protocol::Millis;

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Keys that have something to run, or a gap that is over, and nobody alive who has them.
    pub runnable: Vec<Key>,
    /// Those of them that are [suspects](crate::protocol::is_suspect): to be claimed one at a time.
    pub suspects: Vec<Key>,
    /// How many keys are halted.
    pub halted: u64,
    /// Since when the key that has waited longest for an event waits.
    pub oldest_gap: Option<Millis>,
    /// Keys that have waited longer than [`Policy::stuck_after`](crate::protocol::Policy::stuck_after).
    pub stuck: Vec<Stuck>,
}

/// A key that waits for an event that does not come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stuck {
    /// The key.
    pub key: Key,
    /// The seq that it waits for.
    pub seq: u64,
    /// Since when.
    pub since: Millis,
}
