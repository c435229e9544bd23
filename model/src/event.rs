//! Between the small numbers of the model and the types that ship.

use std::sync::OnceLock;

use ordered_core::event::{Envelope, EventId};
use ordered_core::protocol::{Event, WorkerId};

use crate::bounds::{Bounds, Said, place};

/// A message, as its place in `Bounds::events` and `Bounds::said`.
pub(crate) type Which = u8;

/// The place of a worker among the workers.
pub(crate) type Slot = u8;

impl Bounds {
    pub(crate) fn seq(&self, which: Which) -> u64 {
        u64::from(self.events[usize::from(which)].seq)
    }

    pub(crate) fn event(&self, which: Which) -> Event {
        let event = self.events[usize::from(which)];
        Event {
            seq: place(event.seq),
            id: id(event.id),
            epoch: event.epoch.map(u64::from),
        }
    }

    pub(crate) fn envelope(&self, which: Which) -> Envelope {
        static BODY: OnceLock<Envelope> = OnceLock::new();
        debug_assert!(usize::from(which) < self.events.len());
        BODY.get_or_init(|| Envelope::new("x")).clone()
    }

    pub(crate) fn which(&self, seq: u64, id: &EventId) -> Which {
        self.published()
            .find(|which| self.seq(*which) == seq && self.id(*which) == *id)
            .expect("the store answers with events that were published")
    }

    pub(crate) fn id(&self, which: Which) -> EventId {
        id(self.events[usize::from(which)].id)
    }

    pub(crate) fn same_id(&self, one: Which, other: Which) -> bool {
        self.events[usize::from(one)].id == self.events[usize::from(other)].id
    }

    /// Every event.
    pub(crate) fn published(&self) -> std::ops::Range<Which> {
        0..Which::try_from(self.events.len()).expect("the model has few events")
    }

    /// Every message of the broker: the events, and what is said besides.
    pub(crate) fn messages(&self) -> std::ops::Range<Which> {
        let count = self.events.len() + self.said.len();
        0..Which::try_from(count).expect("the model has few messages")
    }

    /// What the message says, if it is no event.
    pub(crate) fn said(&self, which: Which) -> Option<Said> {
        let place = usize::from(which).checked_sub(self.events.len())?;
        self.said.get(place).copied()
    }
}

fn id(letter: char) -> EventId {
    static IDS: OnceLock<Vec<EventId>> = OnceLock::new();
    let ids = IDS.get_or_init(|| {
        let id = |letter: char| EventId::new(letter.to_string()).expect("a letter is an id");
        ('a'..='z').map(id).collect()
    });
    ids[letter as usize - 'a' as usize].clone()
}

/// The names of the workers; the last is that of all that are dead, of which only one can have the claim.
pub(crate) fn name(slot: Slot) -> WorkerId {
    names()[usize::from(slot)].clone()
}

pub(crate) fn dead() -> WorkerId {
    name(DEAD)
}

pub(crate) fn slot(name: &WorkerId) -> Slot {
    let place = names().iter().position(|other| other == name);
    place
        .and_then(|place| Slot::try_from(place).ok())
        .expect("the model has no other workers")
}

pub(crate) const DEAD: Slot = 3;

/// Who is no worker.
pub(crate) fn operator() -> &'static WorkerId {
    static NAME: OnceLock<WorkerId> = OnceLock::new();
    NAME.get_or_init(|| WorkerId::new("operator"))
}

fn names() -> &'static [WorkerId] {
    static NAMES: OnceLock<Vec<WorkerId>> = OnceLock::new();
    NAMES.get_or_init(|| ["A", "B", "C", "dead"].map(WorkerId::new).to_vec())
}
