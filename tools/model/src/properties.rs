use ordered_core::internal::Phase;
use ordered_core::store::Slot as Place;
use stateright::Property;

use crate::Model;
use crate::bounds::OnGap;
use crate::event::{KeyNumber, Which};
use crate::worker::Running;
use crate::world::{Broken, World};

/// The promises that are checked in every state, by name.
pub const PROPERTIES: [&str; 7] = [
    "order",
    "once",
    "nothing lost",
    "no overlap",
    "fencing",
    "no blame",
    "hand-over",
];

pub(crate) fn properties() -> Vec<Property<Model>> {
    let [order, once, lost, overlap, fencing, blame, hand_over] = PROPERTIES;
    vec![
        Property::always(order, |_, world: &World| world.keeps(Broken::Order)),
        Property::always(once, |_, world: &World| world.keeps(Broken::Once)),
        Property::always(lost, |model: &Model, world: &World| {
            let mut published = model.bounds.published();
            published.all(|which| model.is_somewhere(world, which))
        }),
        Property::always(overlap, |_, world: &World| {
            let one_at_most = |key: KeyNumber| {
                let runs = world.workers.iter().flat_map(|worker| &worker.runs);
                let counts = |run: &&Running| run.key == key && !run.excused;
                runs.filter(counts).count() <= 1
            };
            world.keys().all(one_at_most)
        }),
        Property::always(fencing, |_, world: &World| world.keeps(Broken::Fencing)),
        Property::always(blame, |model: &Model, world: &World| {
            world.keys().all(|key| model.is_just(world, key))
        }),
        Property::always(hand_over, |_, world: &World| world.keeps(Broken::HandOver)),
    ]
}

impl World {
    fn keeps(&self, promise: Broken) -> bool {
        self.broken != Some(promise)
    }
}

impl Model {
    /// In the store and known there, still at the broker (in the queue, or delivered and not settled), or at its end.
    fn is_somewhere(&self, world: &World, which: Which) -> bool {
        world.around(which) > 0
            || self.is_in_store(world, which)
            || self.is_at_its_end(world, which)
    }

    /// Held, and known of: a letter that neither the body nor the mail names is never found again.
    pub(crate) fn is_in_store(&self, world: &World, which: Which) -> bool {
        let record = &world.store.records[self.bounds.key_of(which)];
        let (seq, id) = (self.bounds.seq(which), self.bounds.id(which));
        let is_mail = |seq: u64| {
            let mut mail = record.owner.iter().flat_map(|owner| &owner.mail);
            mail.any(|posted| *posted == seq)
        };
        if self.bounds.sequencing.numbers_itself() {
            let state = record.state();
            return record.letters.iter().any(|(place, letter)| match place {
                Place::Held(seq) => {
                    let is_known = state.held.contains(*seq)
                        || is_mail(*seq)
                        || state.producers.slots().any(|slot| slot == *seq);
                    letter.id == id && is_known
                }
                Place::Dead { .. } => false,
            });
        }
        let held = record.letters.get(&Place::Held(seq));
        held.is_some_and(|held| held.id == id)
            && (is_mail(seq) || record.state().held.contains(seq))
    }

    /// Committed, recognised as a repetition of what was committed, dead-lettered at the broker, dead-lettered in the
    /// store, or taken from there by an operator.
    fn is_at_its_end(&self, world: &World, which: Which) -> bool {
        let key = self.bounds.key_of(which);
        let (seq, id) = (self.bounds.seq(which), self.bounds.id(which));
        let (record, past) = (&world.store.records[key], &world.pasts[key]);
        let mut others = self.bounds.published();
        let is_aside = |(slot, letter): (&Place, &ordered_core::store::Letter)| {
            // Where the key numbers its events, a dead letter has a number of its own.
            let has_place = |other: u64| other == seq || self.bounds.sequencing.numbers_itself();
            matches!(slot, Place::Dead { seq: other, .. } if has_place(*other)) && letter.id == id
        };
        self.is_superseded(world, which)
            || past.dead.contains(which)
            || past.discarded.contains(which)
            || past.forgotten.contains(which)
            || others.any(|other| {
                self.bounds.same_id(other, which)
                    && (past.committed.contains(&other) || past.earlier.contains(other))
            })
            || record.letters.iter().any(is_aside)
            || self.bounds.remembered.is_some() && seq <= record.state().last_seq
    }

    /// Its version is older than another one that is not lost: the newest of all is never superseded.
    fn is_superseded(&self, world: &World, which: Which) -> bool {
        let mut others = self.bounds.published();
        self.bounds.sequencing.has_versions()
            && others.any(|other| {
                self.bounds.key_of(other) == self.bounds.key_of(which)
                    && self.bounds.seq(other) > self.bounds.seq(which)
                    && self.is_somewhere(world, other)
            })
    }

    /// Deaths are counted only where somebody died, and halt only the key whose event killed.
    fn is_just(&self, world: &World, key: KeyNumber) -> bool {
        let state = world.store.records[key].state();
        let faults = self.bounds.faults;
        let dies = faults.crashes || faults.pauses || self.bounds.poison.is_some();
        let poisoned = self.bounds.poison.map(|which| self.bounds.key_of(which));
        let halted = matches!(state.phase, Phase::Halted { .. });
        (dies || state.crashes == 0 && state.unfinished == 0)
            && (poisoned.is_none() || poisoned == Some(key) || !halted)
    }

    /// Whether everything has come to its end: nothing with the broker, nothing held, nothing to replay, and no owner.
    /// A key that is halted waits for an operator: that is an end where there is none.
    pub(crate) fn is_done(&self, world: &World) -> bool {
        let mut messages = self.bounds.messages();
        messages.all(|which| world.around(which) == 0)
            && !world.store.paused
            && world.workers.iter().all(|worker| !worker.is_busy())
            && world.keys().all(|key| self.is_key_done(world, key))
    }

    fn is_key_done(&self, world: &World, key: KeyNumber) -> bool {
        let record = &world.store.records[key];
        let state = record.state();
        if record.owner.is_some() {
            return false;
        }
        if matches!(state.phase, Phase::Halted { .. }) {
            let may_halt = self.bounds.on_gap == OnGap::Halt
                || self.bounds.faults.failures
                || self.bounds.faults.crashes
                || self.bounds.faults.pauses
                || self.bounds.poison.is_some();
            return self.bounds.operator.is_none() && may_halt;
        }
        let is_held = |place: &Place| matches!(place, Place::Held(_));
        let nothing_held = !record.letters.keys().any(is_held) && state.held.is_empty();
        // What was lost before it will not come again.
        let waits_for_lost = world.lost && state.is_waiting();
        let mut published = self.bounds.published();
        (nothing_held || waits_for_lost)
            && !state.paused.is_on()
            && state.replays.is_empty()
            && published.all(|which| {
                self.bounds.key_of(which) != key
                    || self.is_at_its_end(world, which)
                    || waits_for_lost
            })
    }
}

trait IsWaiting {
    fn is_waiting(&self) -> bool;
}

impl IsWaiting for ordered_core::internal::KeyState {
    /// Whether the next event is not held.
    fn is_waiting(&self) -> bool {
        !self.held.contains(self.head())
    }
}
