use std::collections::HashSet;

use crate::protocol::Arrival;
use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::event::Event;
use crate::protocol::engine::pending::{PendingAcquire, PendingKind};
use crate::protocol::engine::plan::mailbox::letter;
use crate::protocol::engine::shared::Shared;
use crate::protocol::engine::watermark::Adoption;
use crate::store::{Acquire, AcquireMode, Letter, Request, Slot};

/// How many letters one acquisition posts at the most.
const LETTERS: usize = 64;
/// After how many bytes no more letters go into one acquisition.
const LETTER_BYTES: usize = 1 << 20;

impl<D> Actor<D> {
    pub(super) fn acquire(&mut self, shared: &Shared<D>) -> Option<(Request, PendingKind<D>)> {
        let is_known = self.ownership.is_some() || self.is_in_doubt();
        let wants = is_known
            || self.adopting
            || !shared.draining
                && (self.claimed || !self.queue.is_empty() || !self.controls.is_empty());
        if !wants || self.asleep || !self.has_its_turn(shared) {
            return None;
        }
        let needs_owner = self.needs_owner();
        let mode = if self.busy && (needs_owner || self.adopting) {
            AcquireMode::HandOver
        } else {
            AcquireMode::Ask
        };
        let letters = if self.busy && !needs_owner && !is_known {
            self.letters(shared)
        } else {
            Vec::new()
        };
        let events = self.queue.iter().take(shared.rules.depth());
        let looked_up: Vec<_> = events.map(|event| (event.seq, event.id.clone())).collect();
        let look_up = looked_up.iter().map(|(_, id)| id.clone()).collect();
        let posted = letters
            .iter()
            .map(|(seq, _, letter)| (*seq, letter.id.clone()));
        let posted = posted.collect();
        let letters = letters.into_iter();
        let request = Acquire {
            key: self.key.clone(),
            mode,
            letters: letters.map(|(_, slot, letter)| (slot, letter)).collect(),
            look_up,
        };
        let pending = PendingAcquire { looked_up, posted };
        Some((Request::Acquire(request), PendingKind::Acquire(pending)))
    }

    /// Whether the key may be asked for at this step of an adoption.
    fn has_its_turn(&self, shared: &Shared<D>) -> bool {
        let is_owned = self.ownership.is_some() || self.in_doubt.is_some();
        match shared.adoption {
            Adoption::Over => true,
            Adoption::Owned => is_owned,
            Adoption::Remembered => is_owned || shared.watermarks.get(&self.key).is_some(),
        }
    }

    /// Where an event is posted, for the owner of the key to find it.
    fn slot_to_post(&self, event: &Event<D>) -> Slot {
        match &event.stamp {
            Some(stamp) => Slot::Held(stamp.slot()),
            None if Arrival::is_unnumbered(event.seq) => Arrival::slot(&self.key, &event.id),
            None => Slot::Held(event.seq),
        }
    }

    fn letters(&self, shared: &Shared<D>) -> Vec<(u64, Slot, Letter)> {
        let mut bytes = 0;
        let has_room = |event: &&Event<D>| {
            let room = bytes < LETTER_BYTES;
            bytes += event.size();
            room
        };
        let numbers_itself = shared.rules.policy.order.numbers_itself();
        let mut slots = HashSet::new();
        // A repetition has the slot of the first: it is posted with the next letters.
        let is_new = |event: &&Event<D>| !numbers_itself || slots.insert(self.slot_to_post(event));
        let events = self.queue.iter().take(LETTERS).take_while(has_room);
        let events = events.take_while(is_new);
        let posted = events.map(|event| {
            let slot = self.slot_to_post(event);
            (event.seq, slot, letter(event, shared.now, None))
        });
        posted.collect()
    }
}
