use std::time::Duration;

use super::event::Tokens;
use super::queue::RunEvents;
use crate::event::{EventId, Key};
use crate::handler::OnExhausted;
use crate::protocol::{Fence, Millis, QuotaLimit, RepairWanted, Waiting};
use crate::transport::Token;
use crate::worker::Control;

/// What the engine wants to be done, or to be known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Settles every delivery of an event with its final outcome.
    Settle {
        /// Its key.
        key: Key,
        /// Its seq.
        seq: u64,
        /// Its id.
        id: EventId,
        /// The deliveries.
        tokens: Tokens,
        /// The outcome.
        disposition: Disposition,
        /// The event was in the mailbox, and its first delivery settled when it was put there.
        stored: bool,
    },
    /// Settles the delivery of a control message: it was carried out, or it stays with the broker for a while.
    SettleControl {
        /// The delivery.
        token: Token,
        /// Why it was not carried out.
        deferred: Option<Deferral>,
    },
    /// Calls [`Engine::wake`](super::Engine::wake) for the key after this time.
    Wake {
        /// The key.
        key: Key,
        /// After how long.
        after: Duration,
    },
    /// Stops a run of the handler: the key is not the worker's any more.
    Abort(RunId),
    /// Something happened to an event.
    Event {
        /// Its key.
        key: Key,
        /// Its seq.
        seq: u64,
        /// Its id.
        id: EventId,
        /// What happened.
        what: EventChange,
    },
    /// Something happened to a key.
    Key {
        /// The key.
        key: Key,
        /// What happened.
        what: KeyChange,
    },
}

/// How a delivery ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Its event was committed.
    Committed,
    /// Its event is in the mailbox and waits for its turn.
    Held,
    /// Its event is in the mailbox and will be tried again.
    Postponed,
    /// Its event is in the mailbox, and its key is halted at it.
    Halted,
    /// Its event is a dead letter in the store.
    DeadLettered,
    /// Its event was processed before.
    Duplicate,
    /// Its seq was committed so long ago that its id is not remembered.
    Stale,
    /// It is stale, and it was made to come again on purpose.
    Rewound,
    /// Its seq was skipped.
    Late,
    /// Its version is older than the head of its key.
    Superseded,
    /// Another event has its seq. The id of that one, where it is known.
    Conflict(Option<EventId>),
    /// It stays with the broker for a while.
    Deferred(Deferral),
}

/// Why a delivery stays with the broker for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deferral {
    /// There is no room to hold it.
    Full(QuotaLimit),
    /// It belongs to an epoch of its key that has not begun, or another event of its seq is decided about first.
    NotYet,
    /// The state of its key cannot be read by this version.
    Unreadable,
}

/// What happened to an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventChange {
    /// It was put into the mailbox.
    Held(Waiting),
    /// It stays with the broker.
    Deferred(Deferral),
    /// It is a duplicate.
    Duplicate,
    /// It is stale.
    Stale,
    /// It is stale, and it was made to come again on purpose.
    Rewound,
    /// It is late.
    Late,
    /// Its version is older than the head of its key.
    Superseded,
    /// Another event has its seq.
    Conflict(Option<EventId>),
    /// A run of the handler begins.
    Started {
        /// Which attempt this is, from 1.
        attempt: u32,
        /// Under which fence.
        fence: Fence,
    },
    /// It was committed.
    Committed {
        /// Its id was processed under another seq: the handler was not called.
        repeat: bool,
        /// When the worker got it.
        received_at: Millis,
        /// When it was published.
        published_at: Option<Millis>,
        /// Since when it was held.
        held_since: Option<Millis>,
    },
    /// It failed and will be tried again.
    Retrying {
        /// Which attempt failed, from 1.
        attempt: u32,
        /// What the handler said.
        error: String,
        /// How long the key waits.
        wait: Duration,
    },
    /// A run of several events failed. They run again one at a time.
    Split {
        /// How many.
        events: usize,
        /// What the handler said.
        error: String,
    },
    /// It failed permanently, and its key is halted.
    Halted {
        /// How often it was tried.
        attempts: u32,
        /// What the handler said.
        error: String,
    },
    /// It failed permanently and is a dead letter.
    DeadLettered {
        /// How often it was tried.
        attempts: u32,
        /// What the handler said.
        error: String,
    },
    /// It is the next of a key that was taken over.
    TakenOver {
        /// Which attempt at it the next one is, from 1.
        attempt: u32,
        /// Under which fence.
        fence: Fence,
    },
    /// The key was lost before it could be committed.
    Fenced,
}

/// What happened to a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyChange {
    /// A control message was carried out.
    Controlled(Control),
    /// Workers died with its event at the head, and it is halted.
    Crashed {
        /// The event's seq.
        seq: u64,
        /// What is known.
        error: String,
    },
    /// Workers died whenever they ran a replay alone. It is a dead letter again.
    ReplayCrashed {
        /// The event's seq.
        seq: u64,
    },
    /// Events that have not come are to be asked for.
    RepairWanted(RepairWanted),
    /// The store knew less of the key than the worker remembers: it lost state. The key was set right.
    Corrected {
        /// The last seq that the store said.
        found: u64,
        /// The last seq that the worker knows to be committed.
        known: u64,
    },
    /// The store gave a lower fence than the worker had before: it lost state, and its clock is behind. The key waits.
    FenceFell {
        /// The fence that the store gave.
        given: Fence,
        /// The highest one that the worker had.
        known: Fence,
    },
    /// Versions that were held are older than its head, and were taken out of the mailbox.
    Superseded {
        /// How many.
        events: u64,
    },
    /// Producers are not waited for any more, because nothing was heard of them.
    GivenUp {
        /// Their names.
        producers: Vec<String>,
    },
    /// Events that were held belong before what has run: they were dead-lettered or dropped.
    Late {
        /// How many.
        events: u64,
    },
    /// Its state cannot be read; its events are deferred.
    Unreadable(String),
    /// An event that its state says is held is not in the mailbox. The key waits for it as at any gap.
    Missing {
        /// The event's seq.
        seq: u64,
    },
}

/// Names one run of the handler: it counts only while its key has this number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId {
    /// The key.
    pub key: Key,
    /// The number, of this engine.
    pub number: u64,
}

/// A run of the handler that is to be started.
#[derive(Debug)]
pub struct Run<'a, D> {
    /// Its name.
    pub id: RunId,
    /// The fence that it runs under.
    pub fence: Fence,
    /// The epoch of its key.
    pub epoch: u64,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Its events, at least one.
    pub events: RunEvents<'a, D>,
}

/// How a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunError {
    /// What the handler said.
    pub error: String,
    /// No further try can help.
    pub permanent: bool,
    /// How long to wait before the next attempt.
    pub wait: Duration,
    /// What happens to the event once it has failed permanently, in place of what the group's rules say.
    pub on_exhausted: Option<OnExhausted>,
}
