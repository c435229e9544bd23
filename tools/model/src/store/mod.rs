//! The store as a plain value: what `Store` promises, and no more. Whether the stores that ship keep it is for the
//! suite of the testkit to say.

mod acquire;
mod save;

use std::collections::BTreeMap;

use bytes::Bytes;
use ordered_core::event::EventId;
use ordered_core::internal::KeyState;
use ordered_core::protocol::Fence;
use ordered_core::store::{Answer, Exchange, Letter, Listing, Request};

pub(crate) use self::acquire::Caller;
use crate::event::{KeyNumber, Slot, number};
use crate::mutation::Mutation;

/// The store's time, which stands still: everything in the state is relative to it.
pub(crate) const NOW: u64 = 1_000_000;

/// All that the store knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Store {
    pub(crate) records: Vec<Record>,
    /// Of each worker, by its place.
    pub(crate) leases: Vec<Lease>,
    pub(crate) paused: bool,
    /// How many events of a key may be held.
    pub(crate) quota: u64,
}

/// What the store thinks of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(crate) enum Lease {
    /// It has never sent a heartbeat, or has left.
    #[default]
    Absent,
    Alive,
    Dead,
}

/// What the store knows of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Record {
    pub(crate) owner: Option<Owner>,
    pub(crate) body: Option<(Bytes, Fence)>,
    pub(crate) letters: BTreeMap<ordered_core::store::Slot, Letter>,
    pub(crate) listing: Listing,
    /// The ids of processed events, each until it expires.
    pub(crate) remembered: BTreeMap<EventId, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) who: Who,
    pub(crate) fence: Fence,
    pub(crate) mail: Vec<u64>,
    pub(crate) hand_over: bool,
}

/// Who owns a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Who {
    Worker(Slot),
    /// One that has crashed, and whose lease has ended or not.
    Crashed(bool),
    /// One that left without giving the key up.
    Left,
    /// An operator that was never heard of again.
    Operator(bool),
}

/// How a call is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) slot: Slot,
    /// For how long ids are remembered.
    pub(crate) dedup_ttl: u64,
    pub(crate) mutation: Option<Mutation>,
}

impl Store {
    pub(crate) fn exchange(&mut self, manner: Manner, requests: &[Request]) -> Exchange {
        let answers = requests.iter().map(|request| self.answer(manner, request));
        let answers = answers.collect();
        Exchange {
            now: NOW,
            paused: self.paused,
            answers,
        }
    }

    fn answer(&mut self, manner: Manner, request: &Request) -> Answer {
        let key = number(request.key());
        match request {
            Request::Acquire(acquire) => {
                self.acquire(key, Caller::Worker(manner.slot), acquire, manner.mutation)
            }
            Request::Save(save) => self.save(key, manner, save),
        }
    }

    pub(crate) fn lease(&self, who: Who) -> Lease {
        let alive = |over: bool| if over { Lease::Dead } else { Lease::Alive };
        match who {
            Who::Worker(slot) => self.leases[usize::from(slot)],
            Who::Crashed(over) | Who::Operator(over) => alive(over),
            Who::Left => Lease::Absent,
        }
    }

    /// Whether a sweep finds the key.
    pub(crate) fn is_swept(&self, key: KeyNumber, mutation: Option<Mutation>) -> bool {
        let record = &self.records[key];
        if let Some(owner) = &record.owner {
            let ignores = mutation == Some(Mutation::SweepIgnoresDead);
            return self.lease(owner.who) != Lease::Alive && !ignores;
        }
        let is_due = record.listing.due.is_some_and(|due| due <= NOW);
        is_due && mutation != Some(Mutation::SweepIgnoresDue)
    }
}

impl Record {
    /// The state that was saved last.
    pub(crate) fn state(&self) -> KeyState {
        let body = self.body.as_ref();
        body.map_or_else(
            || KeyState::new(1),
            |(bytes, fence)| {
                KeyState::decode(bytes, *fence).expect("the model has one version of the body")
            },
        )
    }

    pub(crate) fn owner(&self) -> Option<Who> {
        self.owner.as_ref().map(|owner| owner.who)
    }

    /// How many events are held.
    fn held(&self) -> u64 {
        let is_held =
            |slot: &&ordered_core::store::Slot| matches!(slot, ordered_core::store::Slot::Held(_));
        self.letters.keys().filter(is_held).count() as u64
    }
}
