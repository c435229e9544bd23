use bytes::Bytes;

use super::Letter;
use crate::event::EventId;
use crate::protocol::{Fence, Millis, QuotaLimit, WorkerId};

/// What a store answers to a batch of requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// The store's time.
    pub now: Millis,
    /// Whether the group is paused.
    pub paused: bool,
    /// One answer for each request, in their order.
    pub answers: Vec<Answer>,
}

/// What a store answers to a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To an acquisition: the worker owns the key.
    Owned(Box<Owned>),
    /// To an acquisition: another worker owns the key.
    Busy(Box<Busy>),
    /// To an acquisition: the worker has no lease. It sends a heartbeat first.
    NoLease,
    /// To a save: it was carried out.
    Saved(Saved),
    /// To a save: a quota has no room for a letter. Nothing was changed, and the worker still owns the key.
    Full(QuotaLimit),
    /// To a save: the worker does not own the key under this fence any more. Nothing was changed.
    Lost,
    /// It is not known whether the request was carried out: the store did not answer. The worker acquires the key anew
    /// before anything else.
    Unknown,
}

/// A grant of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owned {
    /// The new fence.
    pub fence: Fence,
    /// Who owned the key until now.
    pub previous: Previous,
    /// The body that was saved last; `None` for a key that none was saved of.
    pub body: Option<Bytes>,
    /// The fence of the grant under which that body was saved; 0 where none was.
    pub body_fence: Fence,
    /// The mail: the seqs of the held events that were posted and that no saved body accounts for, oldest first.
    pub mail: Vec<u64>,
    /// For each id that was looked up, whether it is remembered.
    pub seen: Vec<bool>,
}

/// Who owned a key until it was granted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Previous {
    /// Nobody: it was given up.
    Nobody,
    /// The same worker.
    Myself,
    /// A worker that died with it.
    Died(WorkerId),
    /// A worker that is alive, or that left without giving it up.
    Other(WorkerId),
}

/// Another worker owns the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Busy {
    /// Which one.
    pub owner: WorkerId,
    /// What happened to each of the letters, in their order.
    pub posted: Vec<Posted>,
}

/// What happened to a letter that was posted, or put.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Posted {
    /// It is stored.
    Stored,
    /// The same event is in the slot already.
    Known,
    /// Another event is in the slot.
    Taken(EventId),
    /// A quota has no room for it.
    Full(QuotaLimit),
}

/// A save was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Saved {
    /// The key was given up. Where the save asked for that and this is false, there is mail.
    pub released: bool,
    /// Somebody wants the key: it is to be given up after the event at work.
    pub hand_over: bool,
    /// The mail that is left: the seqs of the held events that were posted and that the body does not account for,
    /// oldest first. It may name some that were told before.
    pub mail: Vec<u64>,
    /// For each id that was looked up, whether it is remembered.
    pub seen: Vec<bool>,
    /// What is in the slots that were fetched.
    pub letters: Vec<Option<Letter>>,
    /// What happened to each letter that was put, in order.
    pub puts: Vec<Posted>,
}
