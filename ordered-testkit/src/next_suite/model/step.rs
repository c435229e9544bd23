use ordered_core::event::Key;
use ordered_core::next::store::{Acquire, Save};

/// The place of a group among those of a sequence.
pub(super) type GroupPlace = usize;
/// The place of a worker among those of a sequence.
pub(super) type WorkerPlace = usize;

/// One step of a sequence. It names no fence, so that it means the same after steps before it were left out.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Exchange(GroupPlace, Who, Vec<Ask>),
    Heartbeat(GroupPlace, WorkerPlace, u64),
    Leave(GroupPlace, WorkerPlace),
    Open(GroupPlace, WorkerPlace),
    Sweep {
        group: GroupPlace,
        longest_wait: u64,
        stuck_after: u64,
    },
    Pause(GroupPlace, bool),
    Advance(u64),
    Back(u64),
    /// Compares all that is known of the keys.
    Compare(GroupPlace, Vec<Key>),
}

/// Which worker says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    Worker(WorkerPlace),
    /// The one that the first key was granted to last.
    Owner,
}

#[derive(Debug, Clone)]
pub(super) enum Ask {
    Acquire(Acquire),
    /// A save under the fence that the claim stands for.
    Save(Claim, Box<Save>),
}

/// Under which fence a worker saves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Claim {
    /// That of its last grant.
    Last,
    /// The one before.
    Before,
    /// One that was never granted.
    Never,
}

impl Ask {
    pub(super) fn key(&self) -> &Key {
        match self {
            Self::Acquire(acquire) => &acquire.key,
            Self::Save(_, save) => &save.key,
        }
    }
}
