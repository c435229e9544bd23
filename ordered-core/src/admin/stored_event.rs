use serde::{Deserialize, Serialize};

use crate::event::Envelope;
use crate::protocol::{DeadCause, Millis};

/// Which of the events that a store keeps of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredKind {
    /// Those that wait.
    Held,
    /// Those that were dead-lettered.
    Dead,
}

/// The place of a stored event: its epoch, and its seq. What is held is of the present epoch, and its place has 0
/// there.
pub type EpochSeq = (u64, u64);

/// An event that a store keeps, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place.
    pub place: EpochSeq,
    /// Its id.
    pub id: String,
    /// Since when the store keeps it there.
    pub since: Millis,
    /// Why it was dead-lettered; `None` for one that waits.
    pub dead_letter: Option<DeadLetter>,
    /// The event itself.
    pub envelope: Envelope,
}

/// Why an event was dead-lettered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why.
    pub cause: DeadCause,
    /// The last error.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// It is to be run again.
    pub replay: bool,
}

impl StoredEvent {
    /// How many events a page has at the most.
    pub const MAX_PER_PAGE: usize = 100;
    /// After how many bytes of bodies and headers a page ends.
    pub const MAX_PAGE_BYTES: u64 = 1 << 20;
}
