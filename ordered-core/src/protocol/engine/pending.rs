use std::time::Duration;

use super::effect::Disposition;
use super::event::Event;
use crate::event::{EventId, Key};
use crate::handler::OnExhausted;
use crate::protocol::{KeyState, RepairWanted};
use crate::store::{Listing, Slot};
use crate::transport::Token;
use crate::worker::Control;

/// A request under way, with all that its answer is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pending<D> {
    pub(super) key: Key,
    pub(super) kind: PendingKind<D>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum PendingKind<D> {
    Acquire(PendingAcquire),
    Save(Box<PendingSave<D>>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PendingAcquire {
    /// The seqs and ids that are looked up, in order.
    pub(super) looked_up: Vec<(u64, EventId)>,
    /// Those of the letters, in order.
    pub(super) posted: Vec<(u64, EventId)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PendingSave<D> {
    /// The state after the save.
    pub(super) next: KeyState,
    /// The save writes it as the body of the record.
    pub(super) writes_body: bool,
    pub(super) listing: Listing,
    /// The events that are committed.
    pub(super) committed: Vec<Box<Event<D>>>,
    /// The events that leave the worker otherwise, and how. Where one is put into the mailbox, the answer decides.
    pub(super) leaving: Vec<(Box<Event<D>>, Leaving)>,
    /// Whose each of the puts is, in order.
    pub(super) puts: Vec<PutFor>,
    pub(super) failure: Option<Failure>,
    /// The seqs that are to be asked for, first and last.
    pub(super) repair: Vec<RepairWanted>,
    pub(super) controls: Vec<(Control, Token)>,
    /// How many versions it takes out of the mailbox that are superseded.
    pub(super) superseded: u64,
    /// How many held events leave the mailbox because they are late.
    pub(super) late: u64,
    /// The producers that are not waited for any more.
    pub(super) given_up: Vec<String>,
    pub(super) looked_up: Vec<(u64, EventId)>,
    pub(super) fetched: Vec<Slot>,
    /// How many commits of the key are on their way with it.
    pub(super) release: bool,
}

/// How an event leaves the worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Leaving {
    /// So.
    As(Disposition),
    /// It is put into the mailbox.
    Held,
    /// It is compared with what is in the mailbox, or among the dead letters.
    Compared,
    /// It is in the mailbox already.
    Stored,
}

/// Whose a put is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PutFor {
    /// That of `leaving` at this index.
    Leaving(usize),
    /// Of the event with this seq, which stays in memory.
    Staying(u64),
}

/// A run of one event failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Failure {
    pub(super) seq: u64,
    pub(super) replay: bool,
    pub(super) attempt: u32,
    pub(super) error: String,
    pub(super) permanent: bool,
    pub(super) wait: Duration,
    pub(super) on_exhausted: Option<OnExhausted>,
    /// The failure was saved, and the worker waits for the next attempt; now the store has to.
    pub(super) saved: bool,
}
