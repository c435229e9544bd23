use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::event::{Envelope, EventId};

/// A moment on the store's clock: milliseconds since the Unix epoch.
pub type Millis = u64;

/// A number per key that grows with every grant of the key to a worker.
///
/// A sink that remembers the highest one it has seen can refuse a worker whose grant is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of one run of one worker process; a restarted process has a new one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// Takes the text as it is. It must be unique among all workers of the group, past ones included.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the keys of one bucket share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct BucketState {
    /// Until when each worker's claims are good.
    pub leases: BTreeMap<WorkerId, Millis>,
    /// How many events the bucket holds.
    pub held_events: u64,
    /// How many bytes of events the bucket holds.
    pub held_bytes: u64,
}

impl BucketState {
    /// Whether the worker's lease lies ahead of `now`.
    #[must_use]
    pub fn is_alive(&self, worker: &WorkerId, now: Millis) -> bool {
        self.leases.get(worker).is_some_and(|expiry| *expiry > now)
    }
}

/// All that is known of one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyState {
    /// The last committed seq; the one before the first, at the beginning.
    pub last_seq: u64,
    /// The fence of the last grant. The claim, where there is one, has this fence.
    pub fence: Fence,
    /// How often the event at the head (`last_seq + 1`) was started.
    pub attempts: u32,
    /// The worker that runs the key, if one does.
    pub claim: Option<Claim>,
    /// Whether the head may run.
    pub phase: Phase,
    /// What went wrong with the event at the head, if something did.
    pub trouble: Option<Trouble>,
    /// The events that wait, by seq.
    pub held: BTreeMap<u64, Held>,
    /// The sum of the sizes of the held events.
    pub held_bytes: u64,
    /// The committed events that are remembered, by seq.
    pub done: BTreeMap<u64, Done>,
    /// The same by id: the seq it was last committed under, and until when that is remembered.
    pub done_ids: BTreeMap<EventId, (u64, Millis)>,
}

/// A worker's hold on a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The worker. The claim is good while its lease is.
    pub worker: WorkerId,
    /// Since when.
    pub since: Millis,
    /// The ids of the events that the worker may run, one after the other, from `last_seq + 1` on.
    pub granted: VecDeque<EventId>,
}

/// Whether the event at the head of a key may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It may.
    Open,
    /// Not before this time: it failed and will be tried again.
    BackingOff {
        /// When it is due.
        until: Millis,
    },
    /// Not until an operator says so: it failed for good.
    Halted,
}

/// Why the event at the head is not done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trouble {
    /// The last error.
    pub error: String,
    /// When it failed first.
    pub first_at: Millis,
    /// When it failed last.
    pub last_at: Millis,
    /// The worker on which it failed last.
    pub worker: WorkerId,
}

/// An event that waits in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// Its id.
    pub id: EventId,
    /// The event itself.
    pub envelope: Envelope,
    /// Since when it is held.
    pub since: Millis,
}

/// A committed event that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Done {
    /// Its id.
    pub id: EventId,
    /// Until when it is remembered.
    pub expires: Millis,
}

impl KeyState {
    /// A key of which nothing was seen yet.
    #[must_use]
    pub fn new(first_seq: u64) -> Self {
        Self {
            last_seq: first_seq.saturating_sub(1),
            fence: Fence(0),
            attempts: 0,
            claim: None,
            phase: Phase::Open,
            trouble: None,
            held: BTreeMap::new(),
            held_bytes: 0,
            done: BTreeMap::new(),
            done_ids: BTreeMap::new(),
        }
    }

    /// The seq whose turn it is.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.last_seq + 1
    }

    /// The last seq that is granted to the worker that has the claim; `last_seq` where nothing is.
    #[must_use]
    pub fn granted_upto(&self) -> u64 {
        self.last_seq
            + self
                .claim
                .as_ref()
                .map_or(0, |claim| claim.granted.len() as u64)
    }

    /// The id of the event that was granted or is held under a seq beyond `last_seq`.
    pub(crate) fn pending_id(&self, seq: u64) -> Option<&EventId> {
        let place = usize::try_from(seq.checked_sub(self.head())?).ok()?;
        let granted = self
            .claim
            .as_ref()
            .and_then(|claim| claim.granted.get(place));
        granted.or_else(|| self.held.get(&seq).map(|held| &held.id))
    }

    /// The committed event under this seq, while it is remembered.
    pub(crate) fn done_at(&self, seq: u64, now: Millis) -> Option<&Done> {
        self.done.get(&seq).filter(|done| done.expires > now)
    }

    /// Whether an event with this id was committed, under whichever seq, and is remembered.
    pub(crate) fn is_done(&self, id: &EventId, now: Millis) -> bool {
        self.done_ids
            .get(id)
            .is_some_and(|(_, expires)| *expires > now)
    }

    /// Frees what is remembered no more, oldest first; costs nothing where there is nothing to free.
    pub(crate) fn forget(&mut self, now: Millis) {
        while let Some(oldest) = self
            .done
            .first_entry()
            .filter(|oldest| oldest.get().expires <= now)
        {
            let done = oldest.remove();
            if !self.is_done(&done.id, now) {
                self.done_ids.remove(&done.id);
            }
        }
    }
}
