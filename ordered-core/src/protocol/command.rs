use std::time::Duration;

use super::Fence;
use crate::event::{Envelope, EventId, Key, Seq};

/// What a worker says to the store about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The key.
    pub key: Key,
    /// What about it.
    pub action: Action,
}

/// Which event of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place.
    pub seq: Seq,
    /// Its id.
    pub id: EventId,
}

/// A run of the handler that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The event.
    pub event: Event,
    /// The fence it ran under.
    pub fence: Fence,
    /// Which attempt it was, from 1.
    pub number: u32,
    /// What it said.
    pub error: String,
}

/// The commands of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// May I run this event? Carries no payload: in order, none is ever sent to the store.
    Offer(Event),
    /// The same, and where it may not run yet, keep it.
    Hold(Event, Envelope),
    /// The handler is done with this event.
    Commit {
        /// The event.
        event: Event,
        /// The fence it ran under.
        fence: Fence,
        /// The last seq of the key that the worker was granted and has in memory: the verdict hands back what is held
        /// beyond it.
        have: u64,
    },
    /// The handler failed, and the worker is going to try again itself.
    Retry(Attempt),
    /// The handler failed, and the event goes back to the store to be tried again after a time, by whoever is there.
    Postpone(Attempt, Envelope, Duration),
    /// The handler failed for good: stop the key here and keep the event.
    Halt(Attempt, Envelope),
    /// Give the key back without having run what was granted.
    Release {
        /// The fence of the grant.
        fence: Fence,
    },
    /// Take the key if an event that is held may run now. What a worker says of the keys a sweep has found.
    Claim,
}
