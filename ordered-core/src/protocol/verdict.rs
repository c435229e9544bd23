use std::fmt;

use super::{Fence, Millis};
use crate::event::{Envelope, EventId, Seq};

/// What the store answers to a command. Every foreseen outcome is here; an error is a failure of the infrastructure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Run the event, after those before it that were granted under the same fence.
    Run(Grant),
    /// Not yet: send it again with its payload (`Hold`).
    Early(Waiting),
    /// It is kept by the store, and the broker may forget it.
    Held(Waiting),
    /// It cannot run yet and there is no room to keep it: it stays with the broker for a while.
    HoldFull(QuotaLimit),
    /// It was committed before. The broker may forget it.
    Duplicate,
    /// Its seq was committed so long ago that its id is not remembered. The broker may forget it.
    Stale,
    /// Its seq was passed over: it comes too late.
    Late,
    /// It belongs to a numbering of its key that has not begun: it stays with the broker for a while.
    NotYet,
    /// Another event has this seq: two producers collided.
    Conflict {
        /// The id of the event that was there first.
        recorded: EventId,
    },
    /// Committed.
    Committed {
        /// What the worker may run next, beyond what it has: held events, in order.
        next: Vec<Next>,
        /// The seq of what the worker runs next; `None` when the claim ended with this commit, because nothing more is
        /// granted. A worker that does not have that event was not told of a grant, and gives the key back.
        front: Option<u64>,
    },
    /// The event waits in the store until then.
    Postponed {
        /// When it is due.
        until: Millis,
    },
    /// The key is halted at the event, and the store keeps the event.
    Halted,
    /// The key is given back.
    Released,
    /// The key is the worker's.
    Claimed {
        /// Under this fence.
        fence: Fence,
        /// Which attempt at the first of the events this is, from 1.
        attempt: u32,
        /// What it may run, in order.
        next: Vec<Next>,
    },
    /// There is nothing of the key that may run now.
    Idle,
    /// The worker's grant of the key is over: another worker has it, or had it.
    Fenced,
    /// What the producer said is noted.
    Noted,
    /// What the operator wanted is done.
    Operated(Effect),
    /// What the operator wanted cannot be done.
    Refused(Refusal),
}

/// What an operator's verb did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// The last seq, after it.
    pub last_seq: u64,
    /// What may run now, in order: at most [`Effect::MOST`] seqs.
    pub released: Vec<u64>,
    /// What was put aside, or deleted if it was aside already.
    pub removed: Vec<u64>,
}

impl Effect {
    /// How many seqs an effect lists at the most.
    pub const MOST: usize = 1_000;

    /// As the audit log writes it.
    #[must_use]
    pub fn sentence(last_seq: u64, released: u64, removed: u64) -> String {
        format!("last seq {last_seq}, {released} released, {removed} removed")
    }
}

/// Why an operator's verb cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The key is neither halted nor backing off.
    NotStopped,
    /// Nothing stands in the way of the key.
    NothingToSkip,
    /// The seq is not ahead of the last one.
    NotAhead,
    /// No such event is held or was put aside.
    NoSuchEvent,
    /// A worker runs it at this moment.
    Running,
    /// It is so already.
    Already,
    /// The event belongs to an earlier numbering of its key.
    Superseded,
}

impl Refusal {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStopped => "not_stopped",
            Self::NothingToSkip => "nothing_to_skip",
            Self::NotAhead => "not_ahead",
            Self::NoSuchEvent => "no_such_event",
            Self::Running => "running",
            Self::Already => "already",
            Self::Superseded => "superseded",
        }
    }
}

/// Leave to run an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The fence of the grant.
    pub fence: Fence,
    /// The seq of what the worker runs first under this fence. A worker that does not have that event was not told of a
    /// grant, and gives the key back.
    pub front: u64,
    /// Which attempt at the event this is, from 1.
    pub attempt: u32,
    /// The id was committed under another seq: commit the event without handling it. The worker sets this itself for
    /// what it was granted before it committed that id.
    pub repeat: bool,
}

/// A held event that may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Its place.
    pub seq: Seq,
    /// Its id.
    pub id: EventId,
    /// The event itself.
    pub envelope: Envelope,
    /// Since when the store has it.
    pub since: Millis,
    /// The id was committed under another seq: commit the event without handling it.
    pub repeat: bool,
}

/// What an event waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The seq whose turn it is.
    pub for_seq: u64,
    /// What stands in the way.
    pub why: Obstacle,
}

/// Why an event cannot run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// An earlier event has not come.
    Gap,
    /// Another worker runs the key.
    Running,
    /// The worker that asks has as many events of this key as it may have at a time.
    LaneFull,
    /// The event at the head failed, and will be tried again later.
    BackingOff,
    /// The event at the head failed for good, or has not come in time.
    Halted,
    /// An operator has paused the key or its group.
    Paused,
}

impl Obstacle {
    /// The word for logs, metrics and the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Running => "running",
            Self::LaneFull => "lane_full",
            Self::BackingOff => "backing_off",
            Self::Halted => "halted",
            Self::Paused => "paused",
        }
    }
}

/// Which quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuotaLimit {
    /// The number of events held for the key.
    KeyEvents,
    /// The bytes held for the key.
    KeyBytes,
    /// The key's bucket has its share of the group's number of events.
    GroupEvents,
    /// The key's bucket has its share of the group's bytes.
    GroupBytes,
}

impl QuotaLimit {
    /// The word for logs, metrics and the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyEvents => "key_events",
            Self::KeyBytes => "key_bytes",
            Self::GroupEvents => "group_events",
            Self::GroupBytes => "group_bytes",
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Obstacle::Gap => write!(f, "seq {} has not come yet", self.for_seq),
            Obstacle::Running => write!(f, "another worker is at seq {}", self.for_seq),
            Obstacle::LaneFull => write!(
                f,
                "this worker has enough of the key, and is at seq {}",
                self.for_seq
            ),
            Obstacle::BackingOff => {
                write!(f, "seq {} failed and will be tried again", self.for_seq)
            }
            Obstacle::Halted => write!(f, "the key is halted at seq {}", self.for_seq),
            Obstacle::Paused => write!(f, "the key is paused before seq {}", self.for_seq),
        }
    }
}

impl fmt::Display for QuotaLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyEvents => "the key's quota of held events",
            Self::KeyBytes => "the key's quota of held bytes",
            Self::GroupEvents => "the group's quota of held events",
            Self::GroupBytes => "the group's quota of held bytes",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStopped => "the key is neither halted nor backing off, so there is nothing to retry",
            Self::NothingToSkip => "nothing stands in the way of the key: no event failed, and none is missing",
            Self::NotAhead => "the key is past that seq already",
            Self::NoSuchEvent => "no such event is held or was put aside",
            Self::Running => "a worker runs that event at this moment: pause the key first, and wait until it is done",
            Self::Already => "it is so already",
            Self::Superseded => "the numbering of the key was begun again since, and an event of the old one has no place in the new: \
                export it, and publish it again with a seq of the new numbering, or discard it",
        })
    }
}

/// As the audit log writes it.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (released, removed) = (self.released.len() as u64, self.removed.len() as u64);
        f.write_str(&Self::sentence(self.last_seq, released, removed))
    }
}
