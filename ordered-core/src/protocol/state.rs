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

    /// The name under which an operator owns a key for the time of one verb. `nonce` makes it unique.
    #[must_use]
    pub fn operator(who: &str, nonce: u64) -> Self {
        Self::new(format!("{OPERATOR}{who}:{nonce:016x}"))
    }

    /// Whether it is the name of an operator. Operators run no events, so the death of one is no event's fault.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.0.starts_with(OPERATOR)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the names of operators begin with.
const OPERATOR: &str = "operator:";

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
    /// Nothing of the bucket is granted: the group is paused.
    pub paused: bool,
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
    /// The last committed seq, or the last one that was passed over; the one before the first, at the beginning.
    pub last_seq: u64,
    /// How often the numbering of the key was begun again.
    pub epoch: u64,
    /// The fence of the last grant. The claim, where there is one, has this fence.
    pub fence: Fence,
    /// How often the event at the head (`last_seq + 1`) was started.
    pub attempts: u32,
    /// The worker that runs the key, if one does.
    pub claim: Option<Claim>,
    /// Whether the head may run.
    pub phase: Phase,
    /// An operator has stopped the key: nothing of it is granted.
    pub paused: bool,
    /// What went wrong with the event at the head, if something did.
    pub trouble: Option<Trouble>,
    /// Since when events wait for one that has not come.
    pub gap_since: Option<Millis>,
    /// The events that wait, by seq.
    pub held: BTreeMap<u64, Held>,
    /// The sum of the sizes of the held events.
    pub held_bytes: u64,
    /// What will never come: the first and last seq of each range beyond `last_seq`.
    pub absent: BTreeMap<u64, u64>,
    /// What was passed over without being committed, and is remembered.
    pub passed: Vec<Passed>,
    /// The events that were put aside, by epoch and seq.
    pub dead: BTreeMap<(u64, u64), Dead>,
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
    /// What the worker may run, one after the other. The first is the event at the head, or one that is replayed.
    pub granted: VecDeque<Granted>,
}

/// An event that a worker may run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Granted {
    /// Its place; at or below `last_seq` when it is replayed.
    pub seq: u64,
    /// Its id.
    pub id: EventId,
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
    /// Not until an operator says so: it failed for good, or has not come in time.
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

/// A range of seqs that was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Passed {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Until when that is remembered.
    pub until: Millis,
}

/// An event that was put aside, and that an operator can replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dead {
    /// Its id.
    pub id: EventId,
    /// The event itself.
    pub envelope: Envelope,
    /// Why.
    pub cause: DeadCause,
    /// The last error, or who put it aside.
    pub error: String,
    /// How often it was tried, since it was last replayed.
    pub attempts: u32,
    /// When it was put aside, or failed last.
    pub at: Millis,
    /// It is to be run again.
    pub replay: bool,
}

/// Why an event was put aside by the store.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum DeadCause {
    /// It used up its attempts, or failed for good, and its group does not halt at such events.
    Failed,
    /// An operator passed over it.
    Skipped,
    /// An operator took it out.
    Discarded,
    /// The numbering of its key was begun again.
    Superseded,
    /// It was posted, and its seq had been skipped.
    Late,
    /// It was posted, and another event was committed under its seq.
    Conflict,
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
            epoch: 0,
            fence: Fence(0),
            attempts: 0,
            claim: None,
            phase: Phase::Open,
            paused: false,
            trouble: None,
            gap_since: None,
            held: BTreeMap::new(),
            held_bytes: 0,
            absent: BTreeMap::new(),
            passed: Vec::new(),
            dead: BTreeMap::new(),
            done: BTreeMap::new(),
            done_ids: BTreeMap::new(),
        }
    }

    /// The seq whose turn it is.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.last_seq + 1
    }

    /// The last seq beyond `last_seq` that is granted to the worker that has the claim; `last_seq` where none is.
    #[must_use]
    pub fn granted_upto(&self) -> u64 {
        let last = self.claim.as_ref().and_then(|claim| claim.granted.back());
        last.map_or(self.last_seq, |granted| granted.seq.max(self.last_seq))
    }

    /// The seq whose turn it is after this one: the next that is not known to be absent, or is here all the same.
    pub(crate) fn following(&self, seq: u64) -> u64 {
        let mut next = seq + 1;
        while self.pending_id(next).is_none()
            && let Some(end) = self.absent_until(next)
        {
            next = self.first_pending(next, end).unwrap_or(end + 1);
        }
        next
    }

    /// The first seq of the range whose event is granted or held.
    fn first_pending(&self, from: u64, to: u64) -> Option<u64> {
        let granted = self
            .claim
            .iter()
            .flat_map(|claim| &claim.granted)
            .map(|granted| granted.seq);
        let granted = granted.filter(|seq| (from..=to).contains(seq)).min();
        let held = self.held.range(from..=to).next().map(|(seq, _)| *seq);
        granted.into_iter().chain(held).min()
    }

    /// Whether it is known that nothing of the range will come.
    pub(crate) fn is_absent(&self, from: u64, to: u64) -> bool {
        self.absent_until(from).is_some_and(|end| end >= to)
    }

    fn absent_until(&self, seq: u64) -> Option<u64> {
        let (_, end) = self.absent.range(..=seq).next_back()?;
        (*end >= seq).then_some(*end)
    }

    /// The id of the event that was granted or is held under a seq beyond `last_seq`.
    pub(crate) fn pending_id(&self, seq: u64) -> Option<&EventId> {
        let granted = self
            .claim
            .as_ref()
            .and_then(|claim| claim.granted.iter().find(|granted| granted.seq == seq));
        granted
            .map(|granted| &granted.id)
            .or_else(|| self.held.get(&seq).map(|held| &held.id))
    }

    /// Whether the seq was passed over, as far as that is remembered.
    pub(crate) fn was_passed(&self, seq: u64, now: Millis) -> bool {
        self.passed
            .iter()
            .any(|passed| (passed.from..=passed.to).contains(&seq) && passed.until > now)
    }

    /// The first event that is to be replayed.
    pub(crate) fn replay(&self) -> Option<(u64, &Dead)> {
        let mut here = self
            .dead
            .range((self.epoch, 0)..=(self.epoch, self.last_seq));
        here.find(|(_, dead)| dead.replay)
            .map(|((_, seq), dead)| (*seq, dead))
    }

    /// The event of this numbering that was put aside from this seq.
    pub(crate) fn dead_at(&self, seq: u64) -> Option<(u64, &Dead)> {
        self.dead.get(&(self.epoch, seq)).map(|dead| (seq, dead))
    }

    /// The latest earlier numbering of which an event with this seq was put aside.
    pub(crate) fn older_dead(&self, seq: u64) -> Option<u64> {
        let mut older = self.dead.range(..(self.epoch, 0)).rev();
        older
            .find(|((_, other), _)| *other == seq)
            .map(|((epoch, _), _)| *epoch)
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
        self.passed.retain(|passed| passed.until > now);
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
