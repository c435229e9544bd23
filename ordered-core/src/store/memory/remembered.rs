use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

use crate::event::{EventId, Key};
use crate::protocol::Millis;

/// The ids of processed events, each of its own key, until they expire.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered {
    expiries: HashMap<(Key, EventId), Millis, FixedState>,
    /// What was added, oldest first, to be removed once it has expired.
    queue: VecDeque<(Millis, Key, EventId)>,
}

impl Remembered {
    pub(super) fn look_up(&self, key: &Key, ids: &[EventId], now: Millis) -> Vec<bool> {
        let expiry = |id: &EventId| self.expiries.get(&(key.clone(), id.clone()));
        let is_seen = |id: &EventId| expiry(id).is_some_and(|expiry| *expiry > now);
        ids.iter().map(is_seen).collect()
    }

    pub(super) fn add(&mut self, key: &Key, ids: &[EventId], now: Millis, ttl: Millis) {
        self.purge(now);
        let expiry = now.saturating_add(ttl);
        for id in ids {
            self.expiries.insert((key.clone(), id.clone()), expiry);
            self.queue.push_back((expiry, key.clone(), id.clone()));
        }
    }

    /// Removes what expired from the front of the queue. What stands behind a later expiry waits, since a look-up
    /// compares the expiry anyway.
    fn purge(&mut self, now: Millis) {
        let is_over = |(expiry, ..): &(Millis, _, _)| *expiry <= now;
        while self.queue.front().is_some_and(is_over)
            && let Some((_, key, id)) = self.queue.pop_front()
        {
            let id = (key, id);
            // It may have been added again since.
            if self.expiries.get(&id).is_some_and(|expiry| *expiry <= now) {
                self.expiries.remove(&id);
            }
        }
    }
}
