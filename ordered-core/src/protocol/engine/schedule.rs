use std::collections::VecDeque;

use super::actor::Actor;
use super::shared::Shared;
use crate::event::Key;

/// Which keys have something to say to the store, and which wait for a handler slot. Both may name keys that are gone
/// or have nothing to do any more; they are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Schedule {
    /// Keys that may have something to say to the store.
    outbox: VecDeque<Key>,
    /// Keys whose next run waits for a handler slot, longest first.
    ready: VecDeque<Key>,
}

impl Schedule {
    /// The key may have something to say.
    pub(super) fn touch<D>(&mut self, actor: &mut Actor<D>) {
        if !actor.queued && !actor.pending {
            actor.queued = true;
            self.outbox.push_back(actor.key.clone());
        }
    }

    /// Puts the key into the queue for a handler slot, if its next event may run.
    pub(super) fn enqueue_if_ready<D>(&mut self, actor: &mut Actor<D>, shared: &Shared<D>) {
        if actor.in_ready_queue {
            return;
        }
        actor.choose_head(shared);
        if actor.may_begin(shared) {
            actor.in_ready_queue = true;
            self.ready.push_back(actor.key.clone());
        }
    }

    /// The next key that may have something to say.
    pub(super) fn next_to_say(&mut self) -> Option<Key> {
        self.outbox.pop_front()
    }

    /// How many keys may have something to say.
    pub(super) fn to_say(&self) -> usize {
        self.outbox.len()
    }

    /// The next key that waits for a slot.
    pub(super) fn next_ready(&mut self) -> Option<Key> {
        self.ready.pop_front()
    }

    /// Lets a key go next of which this holds: the one that has waited longest, or shortest.
    pub(super) fn prefer(&mut self, newest: bool, is_preferred: impl Fn(&Key) -> bool) {
        let place = if newest {
            self.ready.iter().rposition(is_preferred)
        } else {
            self.ready.iter().position(is_preferred)
        };
        if let Some(key) = place.and_then(|place| self.ready.remove(place)) {
            self.ready.push_front(key);
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// No key waits for a slot any more.
    pub(super) fn clear_ready(&mut self) {
        self.ready.clear();
    }
}
