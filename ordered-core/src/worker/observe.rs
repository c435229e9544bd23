use std::sync::Arc;
use std::time::Duration;

use crate::event::{EventId, Key, Seq};
use crate::protocol::{Fence, QuotaLimit, Waiting};
use crate::transport::Reason;

/// Is told what happens to every event, as it happens, on the worker's own task: it must not block.
pub type Observer = Arc<dyn Fn(&Occurrence<'_>) + Send + Sync>;

/// Which event.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its key.
    pub key: &'a Key,
    /// Its place.
    pub seq: Seq,
    /// Its id.
    pub id: &'a EventId,
}

/// What happens to an event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Occurrence<'a> {
    /// It came from the broker.
    Received {
        /// The event.
        event: Place<'a>,
        /// Whether the broker says that it delivered it before.
        redelivered: bool,
    },
    /// It came from the broker, and cannot be read; it is dead-lettered.
    Malformed {
        /// Why.
        reason: &'a Reason,
    },
    /// It is kept by the store until its turn.
    Held {
        /// The event.
        event: Place<'a>,
        /// What it waits for.
        waiting: Waiting,
    },
    /// There is no room to hold it; it stays with the broker.
    Deferred {
        /// The event.
        event: Place<'a>,
        /// What is used up.
        limit: QuotaLimit,
        /// For how long.
        delay: Duration,
    },
    /// It was committed before; it is dropped.
    Duplicate {
        /// The event.
        event: Place<'a>,
    },
    /// It was committed so long ago that its id is not remembered; it is dropped.
    Stale {
        /// The event.
        event: Place<'a>,
    },
    /// Another event has its seq; it is dead-lettered.
    Conflict {
        /// The event.
        event: Place<'a>,
        /// The id of the one that was there first.
        recorded: &'a EventId,
    },
    /// The handler starts on it.
    Started {
        /// The event.
        event: Place<'a>,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// Under which fence.
        fence: Fence,
    },
    /// The handler is done with it, and the store has recorded that.
    Committed {
        /// The event.
        event: Place<'a>,
        /// Its id had been committed under another seq: the handler was not asked.
        repeat: bool,
    },
    /// The handler failed; it will be tried again.
    Retrying {
        /// The event.
        event: Place<'a>,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// What the handler said.
        error: &'a str,
        /// How long the key waits.
        wait: Duration,
    },
    /// The handler failed for good, and the key is halted at the event.
    Halted {
        /// The event.
        event: Place<'a>,
        /// How often it was tried.
        attempts: u32,
        /// What the handler said.
        error: &'a str,
    },
    /// The worker's grant was over before it could commit the event: another worker has the key.
    Fenced {
        /// The event.
        event: Place<'a>,
    },
}
