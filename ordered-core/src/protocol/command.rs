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
    /// Which numbering of the key it belongs to, where its producer says so.
    pub epoch: Option<u64>,
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
    /// The handler failed for good: put the event aside and go on with the next.
    DeadLetter {
        /// The last attempt.
        attempt: Attempt,
        /// The event.
        envelope: Envelope,
        /// As for a commit.
        have: u64,
    },
    /// Give the key back without having run what was granted.
    Release {
        /// The fence of the grant.
        fence: Fence,
    },
    /// Take the key if an event that is held may run now. What a worker says of the keys a sweep has found.
    Claim,
    /// A producer says what will never come.
    Fill {
        /// The first seq of the range.
        from: Seq,
        /// The last.
        to: Seq,
    },
    /// A producer begins the numbering of the key again.
    Reset {
        /// The next seq.
        at: Seq,
        /// The number of the new numbering. Without one the key can only move upwards.
        epoch: Option<u64>,
    },
    /// An operator intervenes.
    Operate(Verb),
}

/// What an operator can do to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Try the event at the head again, with all its attempts.
    Retry,
    /// Pass over what stands in the way, up to this seq: by default the event that failed, or the gap.
    Skip {
        /// The last seq to pass over.
        to: Option<Seq>,
    },
    /// Take one held event out, or delete one that was put aside, of an earlier numbering where this one has none.
    Discard {
        /// Its place.
        seq: Seq,
    },
    /// Give a held event, or one that was put aside, another body.
    Edit {
        /// Its place.
        seq: Seq,
        /// The new body.
        body: bytes::Bytes,
    },
    /// Say which seq was the last. Downwards it begins the numbering again.
    SetLast {
        /// The last seq; 0 for none.
        to: u64,
    },
    /// Grant nothing of the key until it is resumed.
    Pause,
    /// End a pause.
    Resume,
    /// Run what was put aside again: one event, or all, at most [`Effect::MOST`](super::Effect::MOST) at a time.
    Replay {
        /// Its place.
        seq: Option<Seq>,
    },
}

/// As the command line writes it.
impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retry => f.write_str("retry"),
            Self::Skip { to: None } => f.write_str("skip"),
            Self::Skip { to: Some(to) } => write!(f, "skip --to {to}"),
            Self::Discard { seq } => write!(f, "discard {seq}"),
            Self::Edit { seq, body } => write!(f, "edit {seq} ({} bytes)", body.len()),
            Self::SetLast { to } => write!(f, "set-last {to}"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Replay { seq: None } => f.write_str("replay"),
            Self::Replay { seq: Some(seq) } => write!(f, "replay --seq {seq}"),
        }
    }
}
