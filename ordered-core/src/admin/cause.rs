use serde::{Deserialize, Serialize};

use crate::protocol::Millis;

/// Events that failed for the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The error, with `…` in place of names and numbers.
    pub cause: String,
    /// How many events, in all.
    pub events: u64,
    /// How many of them halt their keys.
    pub halted: u64,
    /// How many back off.
    pub backing_off: u64,
    /// How many are dead letters.
    pub dead: u64,
    /// When one failed first.
    pub first_at: Millis,
    /// When one failed last.
    pub last_at: Millis,
    /// The one that failed last.
    pub example: CauseExample,
}

/// One of the events of a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseExample {
    /// Its key.
    pub key: String,
    /// Its seq.
    pub seq: u64,
    /// The whole error.
    pub error: String,
}
