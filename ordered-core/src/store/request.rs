use bytes::Bytes;

use crate::event::{EventId, Key};
use crate::protocol::Fence;

/// A place in the mailbox of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// An event that waits for its turn.
    Held(u64),
    /// A dead letter: an event that was taken out of the order and is kept for an operator.
    Dead {
        /// The epoch of the key that it belongs to.
        epoch: u64,
        /// Its seq in that epoch.
        seq: u64,
    },
}

impl Slot {
    /// The bytes of the slot: a letter for the kind, then the numbers in eight bytes each, most significant first.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Held(seq) => [&b"h"[..], &seq.to_be_bytes()].concat(),
            Self::Dead { epoch, seq } => {
                [&b"d"[..], &epoch.to_be_bytes(), &seq.to_be_bytes()].concat()
            }
        }
    }

    /// The inverse of [`Slot::encode`]; `None` for bytes that are no slot.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
        match bytes.split_first()? {
            (b'h', seq) => Some(Self::Held(number(seq)?)),
            (b'd', rest) if rest.len() == 16 => Some(Self::Dead {
                epoch: number(&rest[..8])?,
                seq: number(&rest[8..])?,
            }),
            _ => None,
        }
    }
}

/// What lies in a slot of a mailbox. The store compares the id, counts `data` against the quotas, and understands
/// neither the note nor the data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Letter {
    /// The id of the event.
    pub id: EventId,
    /// What the protocol notes beside the event; replaced when the letter is moved to another slot.
    pub note: Bytes,
    /// The event.
    pub data: Bytes,
}

impl Letter {
    /// How many bytes it has: those of the id, the note and the data.
    #[must_use]
    pub fn size(&self) -> u64 {
        (self.id.as_str().len() + self.note.len() + self.data.len()) as u64
    }
}

/// One request to the store about one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// Makes the worker the owner of the key.
    Acquire(Acquire),
    /// Writes what the owner decided.
    Save(Box<Save>),
}

impl Request {
    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Acquire(acquire) => &acquire.key,
            Self::Save(save) => &save.key,
        }
    }

    /// How many bytes of events and state it carries.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Acquire(acquire) => {
                let sizes = acquire.letters.iter().map(|(_, letter)| letter.data.len());
                sizes.sum()
            }
            Self::Save(save) => {
                let letters = save.changes.iter().map(|change| match change {
                    Change::Put { letter, .. } => letter.data.len(),
                    Change::Delete(_) | Change::Move { .. } => 0,
                });
                save.body.as_ref().map_or(0, Bytes::len) + letters.sum::<usize>()
            }
        }
    }
}

/// Makes the worker the owner of the key if nobody is, if the owner is dead, or if the worker is the owner already;
/// each grant has a new fence, `max(fence + 1, the store's time in µs)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acquire {
    /// The key.
    pub key: Key,
    /// What to do where another worker owns it.
    pub mode: AcquireMode,
    /// Posted to the mailbox where another worker owns the key and keeps it; not stored otherwise. Only slots of held
    /// events are posted.
    pub letters: Vec<(Slot, Letter)>,
    /// Ids to look up among the remembered ones.
    pub look_up: Vec<EventId>,
}

/// What an acquisition does where another living worker owns the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcquireMode {
    /// Leaves it alone.
    Ask,
    /// Leaves a mark, on which the owner gives the key up after the event at work.
    HandOver,
    /// Takes the key away from it.
    Steal,
}

/// Writes what the owner decided, if the worker still owns the key under this fence; all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Save {
    /// The key.
    pub key: Key,
    /// The fence of the grant.
    pub fence: Fence,
    /// The new body; `None` leaves it, and the fence that it was saved under, as they are.
    pub body: Option<Bytes>,
    /// Changes of the mailbox, carried out in order.
    pub changes: Vec<Change>,
    /// Changes of the indexes.
    pub listing: ListingChange,
    /// Ids to remember for at least the group's `dedup_ttl`. A store may remember an id up to twice as long.
    pub remember: Vec<EventId>,
    /// Ids to look up among the remembered ones, before those of `remember` are added.
    pub look_up: Vec<EventId>,
    /// Slots to read, after the changes.
    pub fetch: Vec<Slot>,
    /// How many seqs of the mail, the oldest first, the body accounts for: these are removed from it. Mail is told
    /// again and again until then, so that an owner that dies leaves it to the next.
    pub taken: usize,
    /// Gives the key up, unless there is mail beyond what was taken.
    pub release: bool,
}

impl Save {
    /// One that changes nothing yet.
    #[must_use]
    pub fn new(key: Key, fence: Fence) -> Self {
        Self {
            key,
            fence,
            body: None,
            changes: Vec::new(),
            listing: ListingChange::default(),
            remember: Vec::new(),
            look_up: Vec::new(),
            fetch: Vec::new(),
            taken: 0,
            release: false,
        }
    }
}

/// A change of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// Stores a letter.
    Put {
        /// Where.
        slot: Slot,
        /// What.
        letter: Letter,
        /// Under which condition.
        mode: PutMode,
    },
    /// Removes what is in the slot, if anything is.
    Delete(Slot),
    /// Moves a letter to another slot, with another note. Does nothing where the slot is empty.
    Move {
        /// From where.
        from: Slot,
        /// To where; what is there is replaced.
        to: Slot,
        /// The new note.
        note: Bytes,
    },
}

/// Under which condition a letter is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PutMode {
    /// The slot is empty and the quotas have room. Where a quota has not, the whole save is refused
    /// ([`Answer::Full`](super::Answer::Full)). What is in the slot already stays.
    New,
    /// As `New`, whatever the quotas say.
    Force,
    /// Replaces what is in the slot, whatever the quotas say.
    Replace,
}

/// The score of what is listed and is never due.
pub const NEVER_DUE: u64 = 1 << 52;

/// In which indexes a key is listed, with its score in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Listing {
    /// When somebody should look at the key, by the store's clock in milliseconds; [`NEVER_DUE`] for a key that is
    /// listed for operators only. Keys that are idle, with nothing stored, are not listed.
    pub due: Option<u64>,
    /// Since when the key waits for an event that has not come.
    pub gap: Option<u64>,
    /// Since when the key is halted.
    pub halted: Option<u64>,
}

/// A change of a [`Listing`]: `None` leaves an entry as it is, `Some(None)` removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ListingChange {
    /// Of [`Listing::due`].
    pub due: Option<Option<u64>>,
    /// Of [`Listing::gap`].
    pub gap: Option<Option<u64>>,
    /// Of [`Listing::halted`].
    pub halted: Option<Option<u64>>,
}

impl Listing {
    /// What to change so that `self` becomes `to`.
    #[must_use]
    pub fn change(self, to: Self) -> ListingChange {
        let differs = |from: Option<u64>, to: Option<u64>| (from != to).then_some(to);
        ListingChange {
            due: differs(self.due, to.due),
            gap: differs(self.gap, to.gap),
            halted: differs(self.halted, to.halted),
        }
    }
}
