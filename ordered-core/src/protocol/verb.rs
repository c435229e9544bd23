use std::fmt;
use std::time::Duration;

use super::KeyState;
use crate::event::Seq;

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
    /// Take one held event out, or delete one that was dead-lettered, of an earlier numbering where this one has none.
    Discard {
        /// Its place.
        seq: Seq,
    },
    /// Give a held event, or one that was dead-lettered, another body.
    Edit {
        /// Its place.
        seq: Seq,
        /// The new body.
        body: bytes::Bytes,
    },
    /// Say which seq was the last. Downwards it begins the numbering again.
    SetLast {
        /// The last seq; 0 for none, or `KeyState::BEFORE_ZERO` where keys begin
        /// with 0.
        to: u64,
    },
    /// Say up to which seq another system is done with the key. Only upwards, and nothing of it counts as passed over.
    Import {
        /// The epoch of the numbering that the seq belongs to: a larger one than the key's begins the numbering again,
        /// what is held of the old one becomes dead letters. Left out, it is that of the key.
        epoch: Option<u64>,
        /// The last seq that is done.
        last: u64,
    },
    /// Grant nothing of the key until it is resumed.
    Pause,
    /// Grant nothing of the key for this time, or until it is resumed. It begins anew where the key is paused already.
    PauseFor {
        /// How long.
        length: Duration,
    },
    /// End a pause.
    Resume,
    /// Run what was dead-lettered again: one event, or all, at most [`Effect::MAX_EVENTS`](super::Effect::MAX_EVENTS)
    /// at a time.
    Replay {
        /// Its place.
        seq: Option<Seq>,
    },
}

/// As the command line writes it.
impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry => f.write_str("retry"),
            Self::Skip { to: None } => f.write_str("skip"),
            Self::Skip { to: Some(to) } => write!(f, "skip --to {to}"),
            Self::Discard { seq } => write!(f, "discard {seq}"),
            Self::Edit { seq, body } => write!(f, "edit {seq} ({} bytes)", body.len()),
            Self::SetLast { to } => write!(f, "set-last {}", last_seq_text(*to)),
            Self::Import { epoch: None, last } => write!(f, "import {last}"),
            Self::Import {
                epoch: Some(epoch),
                last,
            } => write!(f, "import {last} of epoch {epoch}"),
            Self::Pause => f.write_str("pause"),
            Self::PauseFor { length } => {
                let millis = length.as_millis();
                let (count, unit) = match millis {
                    _ if millis % 3_600_000 == 0 => (millis / 3_600_000, "h"),
                    _ if millis % 60_000 == 0 => (millis / 60_000, "m"),
                    _ if millis % 1_000 == 0 => (millis / 1_000, "s"),
                    _ => (millis, "ms"),
                };
                write!(f, "pause --for {count}{unit}")
            }
            Self::Resume => f.write_str("resume"),
            Self::Replay { seq: None } => f.write_str("replay"),
            Self::Replay { seq: Some(seq) } => write!(f, "replay --seq {seq}"),
        }
    }
}

/// A last seq for people: `none` before the beginning of a key that begins with 0.
#[must_use]
pub fn last_seq_text(last_seq: u64) -> String {
    match last_seq {
        KeyState::BEFORE_ZERO => "none".into(),
        last => last.to_string(),
    }
}

/// What came of an operator's verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done; or, in a dry run, it would be.
    Operated(Effect),
    /// It cannot be done.
    Refused(Refusal),
}

/// What an operator's verb did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// The last seq, before it. As in `KeyState::last_seq`.
    pub last_seq_before: u64,
    /// The last seq, after it.
    pub last_seq: u64,
    /// What may run now, in order: at most [`Effect::MAX_EVENTS`] seqs.
    pub released: Vec<u64>,
    /// What was dead-lettered, or deleted if it was a dead letter already.
    pub removed: Vec<u64>,
    /// The dead letters that are to be run again, each in its turn: now, or once the key goes on. Those that were
    /// marked before are among them.
    pub marked: Vec<u64>,
}

impl Effect {
    /// How many seqs an effect lists at the most.
    pub const MAX_EVENTS: usize = 1_000;

    /// The effect of a verb together with that of the next one to the same key.
    #[cfg(feature = "admin")]
    #[must_use]
    pub(crate) fn and_then(mut self, next: Self) -> Self {
        self.removed.extend(next.removed);
        self.marked.extend(next.marked);
        self.marked.sort_unstable();
        self.marked.dedup();
        Self {
            last_seq_before: self.last_seq_before,
            removed: self.removed,
            marked: self.marked,
            ..next
        }
    }

    /// As the audit log writes it.
    #[must_use]
    pub fn sentence(last_seq: u64, released: u64, removed: u64) -> String {
        let last = last_seq_text(last_seq);
        format!("last seq {last}, {released} released, {removed} removed")
    }
}

/// Why an operator's verb cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The key is neither halted nor backing off.
    NotStopped,
    /// Nothing stands in the way of the key.
    NothingToSkip,
    /// The seq is not ahead of the last one.
    NotAhead,
    /// No such event is held or was dead-lettered.
    NoSuchEvent,
    /// A worker runs it at this moment.
    Running,
    /// It is so already.
    Already,
    /// The event belongs to an earlier numbering of its key.
    Superseded,
    /// A newer version of the key was run, or is about to.
    NewerVersion,
    /// The key numbers its events itself.
    NoNumbers,
    /// The new body says another key than that of the event.
    OtherKey,
    /// The new body says another seq.
    OtherSeq,
    /// The new body says another event id.
    OtherId,
    /// What the new body says cannot be read.
    Unreadable,
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
            Self::NewerVersion => "newer_version",
            Self::NoNumbers => "no_numbers",
            Self::OtherKey => "other_key",
            Self::OtherSeq => "other_seq",
            Self::OtherId => "other_id",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStopped => "the key is neither halted nor backing off, so there is nothing to retry",
            Self::NothingToSkip => "nothing stands in the way of the key: no event failed, and none is missing",
            Self::NotAhead => "the key is past that seq already",
            Self::NoSuchEvent => "no such event is held or dead-lettered",
            Self::Running => "a worker runs that event at this moment: pause the key first, and wait until it is done",
            Self::Already => "it is so already",
            Self::Superseded => "the numbering of the key was begun again since, and an event of the old one has no \
                                 place in the new: export it, and publish it again with a seq of the new numbering, or \
                                 discard it",
            Self::NewerVersion => "a newer version of the key was run since, or is about to, and this one would undo \
                                   it: discard it, or publish its content again as a newer version",
            Self::NoNumbers => "the key numbers its events itself in the order of this group, and no number of theirs \
                                can be set",
            Self::OtherKey => "the new body does not have the key of the event where the handler reads it, and would \
                               not be run: an edit changes what an event says, and not which one it is",
            Self::OtherSeq => "the new body does not have the seq of the event where the handler reads it, and would \
                               not be run: an edit changes what an event says, and not which one it is",
            Self::OtherId => "the new body does not have the id of the event where the handler reads it: an edit \
                              changes what an event says, and not which one it is",
            Self::Unreadable => "the new body cannot be read, so that it says neither the key nor the seq of the \
                                 event, and would not be run",
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
