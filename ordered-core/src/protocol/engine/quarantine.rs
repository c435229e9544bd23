use std::collections::VecDeque;

use crate::event::Key;

/// The suspects: keys whose event at the head was under way in workers that died. One of them is on trial at a time, so
/// that the one that kills this worker too takes no other along, and each is halted for what it does itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Quarantine {
    on_trial: Option<Key>,
    waiting: VecDeque<Key>,
}

impl Quarantine {
    /// Whether the suspect may be on trial now. Otherwise its key waits for its turn.
    pub(super) fn admit(&mut self, key: &Key) -> bool {
        match &self.on_trial {
            None => {
                self.on_trial = Some(key.clone());
                true
            }
            Some(other) if other == key => true,
            Some(_) => {
                if !self.waiting.contains(key) {
                    self.waiting.push_back(key.clone());
                }
                false
            }
        }
    }

    /// The trial of the key is over, if it was on trial. Says which key is next.
    pub(super) fn end(&mut self, key: &Key) -> Option<Key> {
        if self.on_trial.as_ref() != Some(key) {
            return None;
        }
        self.on_trial = None;
        self.waiting.pop_front()
    }

    pub(super) fn is_on_trial(&self, key: &Key) -> bool {
        self.on_trial.as_ref() == Some(key)
    }
}
