use ordered_core::event::Key;
use ordered_core::store::{Acquire, ListingChange, Save};

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

impl Step {
    /// The same step with less in it, in every way in which one part can be left out.
    pub(super) fn simpler(&self) -> Vec<Self> {
        let Self::Exchange(group, who, asks) = self else {
            return Vec::new();
        };
        let mut simpler = Vec::new();
        for place in 0..asks.len() {
            if asks.len() > 1 {
                let mut fewer = asks.clone();
                fewer.remove(place);
                simpler.push(fewer);
            }
            for ask in asks[place].simpler() {
                let mut asks = asks.clone();
                asks[place] = ask;
                simpler.push(asks);
            }
        }
        let exchange = |asks| Self::Exchange(*group, *who, asks);
        simpler.into_iter().map(exchange).collect()
    }
}

impl Ask {
    fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        match self {
            Self::Acquire(acquire) => {
                for letters in without_one(&acquire.letters) {
                    let rest = acquire.clone();
                    simpler.push(Self::Acquire(Acquire { letters, ..rest }));
                }
                for look_up in without_one(&acquire.look_up) {
                    let rest = acquire.clone();
                    simpler.push(Self::Acquire(Acquire { look_up, ..rest }));
                }
            }
            Self::Save(claim, save) => {
                let rest = || save.as_ref().clone();
                let mut saves: Vec<Save> = Vec::new();
                let changes = without_one(&save.changes);
                saves.extend(changes.map(|changes| Save { changes, ..rest() }));
                let remember = without_one(&save.remember);
                saves.extend(remember.map(|remember| Save { remember, ..rest() }));
                let look_up = without_one(&save.look_up);
                saves.extend(look_up.map(|look_up| Save { look_up, ..rest() }));
                let fetch = without_one(&save.fetch);
                saves.extend(fetch.map(|fetch| Save { fetch, ..rest() }));
                if save.listing != ListingChange::default() {
                    let listing = ListingChange::default();
                    saves.push(Save { listing, ..rest() });
                }
                if save.body.is_some() {
                    let body = None;
                    saves.push(Save { body, ..rest() });
                }
                let save = |save| Self::Save(*claim, Box::new(save));
                simpler.extend(saves.into_iter().map(save));
            }
        }
        simpler
    }
}

fn without_one<T: Clone>(all: &[T]) -> impl Iterator<Item = Vec<T>> + '_ {
    (0..all.len()).map(|place| {
        let mut fewer = all.to_vec();
        fewer.remove(place);
        fewer
    })
}
