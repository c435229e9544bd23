use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use crate::event::{EventId, Key, Seq};
use crate::protocol::engine::DeferReason;
use crate::protocol::{Fence, Millis, QuotaLimit, Waiting};
use crate::transport::Reason;

/// Is told what happens to every event, as it happens, on the worker's own task: it must not block. A panic of it is
/// logged, and the worker goes on.
pub type Observer = Arc<dyn Fn(&WorkerEvent<'_>) + Send + Sync>;

/// Which event.
#[derive(Debug, Clone, Copy)]
pub struct EventRef<'a> {
    /// Its key.
    pub key: &'a Key,
    /// Its place.
    pub seq: Seq,
    /// Its id.
    pub id: &'a EventId,
}

/// A key that does not go on by itself.
#[derive(Debug, Clone, Copy)]
pub struct StuckKey<'a> {
    /// The group.
    pub group: &'a str,
    /// The key.
    pub key: &'a Key,
    /// The seq at which it stands.
    pub seq: u64,
    /// Why.
    pub why: StuckReason<'a>,
}

/// Why a key does not go on by itself.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum StuckReason<'a> {
    /// It has waited longer than `stuck_after` for an event that has not come.
    Gap {
        /// Since when, by the store's clock.
        since: Millis,
    },
    /// It is halted at an event that failed permanently.
    Halted {
        /// What the handler said.
        error: &'a str,
    },
    /// Events of it are refused, because there is no room to hold them.
    Full(QuotaLimit),
}

/// Is told of keys that do not go on by themselves, so that it can call a person. Each worker tells of a gap once; of a
/// halt the one that saw it; of a full quota each time that an event is refused.
pub type StuckHook = Arc<dyn Fn(&StuckKey<'_>) + Send + Sync>;

/// What happens to an event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum WorkerEvent<'a> {
    /// It came from the broker.
    Received {
        /// The event.
        event: EventRef<'a>,
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
        event: EventRef<'a>,
        /// What it waits for.
        waiting: Waiting,
    },
    /// It can neither run nor be held; it stays with the broker.
    Deferred {
        /// The event.
        event: EventRef<'a>,
        /// Why.
        why: DeferReason,
        /// For how long.
        delay: Duration,
    },
    /// It was committed before; it is dropped.
    Duplicate {
        /// The event.
        event: EventRef<'a>,
    },
    /// It was committed so long ago that its id is not remembered; it is dropped.
    Stale {
        /// The event.
        event: EventRef<'a>,
    },
    /// It was committed so long ago that its id is not remembered, and it was [made to come
    /// again](crate::transport::REWOUND) on purpose; it is dropped.
    Rewound {
        /// The event.
        event: EventRef<'a>,
    },
    /// It came after its seq was passed over; it is dead-lettered or dropped.
    Late {
        /// The event.
        event: EventRef<'a>,
    },
    /// Its version is older than one that was run, or is about to; it is dropped.
    Superseded {
        /// The event.
        event: EventRef<'a>,
    },
    /// A producer said what will never come, or began the numbering of a key again.
    Controlled {
        /// The key.
        key: &'a Key,
        /// What was said.
        control: &'a Control,
    },
    /// Another event has its seq; it is dead-lettered.
    Conflict {
        /// The event.
        event: EventRef<'a>,
        /// The id of the one that was there first, where it is known: of an event that is committed it is not.
        recorded: Option<&'a EventId>,
    },
    /// The handler starts on it.
    Started {
        /// The event.
        event: EventRef<'a>,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// Under which fence.
        fence: Fence,
    },
    /// The handler is done with it, and the store has recorded that.
    Committed {
        /// The event.
        event: EventRef<'a>,
        /// Its id had been committed under another seq: the handler was not asked.
        repeat: bool,
    },
    /// The handler failed; it will be tried again.
    Retrying {
        /// The event.
        event: EventRef<'a>,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// What the handler said.
        error: &'a str,
        /// How long the key waits.
        wait: Duration,
    },
    /// A run of several events failed. They run again one at a time, so that the one that fails is found.
    BatchSplit {
        /// The first of them.
        event: EventRef<'a>,
        /// How many.
        events: usize,
        /// What the handler said.
        error: &'a str,
    },
    /// The handler failed permanently, and the key is halted at the event.
    Halted {
        /// The event.
        event: EventRef<'a>,
        /// How often it was tried.
        attempts: u32,
        /// What the handler said.
        error: &'a str,
    },
    /// The handler failed permanently, the event was dead-lettered by the store, and its key goes on.
    DeadLettered {
        /// The event.
        event: EventRef<'a>,
        /// How often it was tried.
        attempts: u32,
        /// What the handler said.
        error: &'a str,
    },
    /// The worker took over a key that nobody ran.
    TakenOver {
        /// The event that is next.
        event: EventRef<'a>,
        /// Which attempt at it this is, from 1.
        attempt: u32,
        /// Under which fence.
        fence: Fence,
    },
    /// The worker's grant was over before it could commit the event: another worker has the key, an operator
    /// intervened, or the key was paused while events ran ahead.
    Fenced {
        /// The event.
        event: EventRef<'a>,
    },
}
