use std::collections::{HashSet, VecDeque};

use super::{Engine, Then};
use crate::event::{Key, Seq};
use crate::protocol::Action;

/// Whether a suspect is at work: an event that was under way in workers that died. One at a time, so that the one that
/// kills this worker too takes no other along, and each is halted for what it does itself.
pub(super) enum Trial {
    None,
    /// The store was asked for it.
    Asked,
    /// It is the first of its lane.
    Of(Key, Seq),
}

/// The suspects, and the other keys that a sweep found.
pub(super) fn split(runnable: Vec<Key>, suspects: Vec<Key>) -> (VecDeque<Key>, Vec<Key>) {
    if suspects.is_empty() {
        return (VecDeque::new(), runnable);
    }
    let suspects: HashSet<Key> = suspects.into_iter().collect();
    let (suspects, others): (Vec<Key>, Vec<Key>) =
        runnable.into_iter().partition(|key| suspects.contains(key));
    (suspects.into(), others)
}

impl Engine {
    /// Claims the next suspect when none is at work.
    pub(in crate::worker) fn try_next_suspect(&mut self) {
        if self.suspects.is_empty() {
            return;
        }
        let is_over = match &self.trial {
            Trial::None => true,
            Trial::Asked => false,
            Trial::Of(key, seq) => self.first_of(key) != Some(*seq),
        };
        if !is_over || self.draining {
            return;
        }
        self.trial = Trial::None;
        while let Some(key) = self.suspects.pop_front() {
            if !self.lanes.contains_key(&key) {
                self.trial = Trial::Asked;
                return self.tell(key, Action::Claim, Then::Trial);
            }
        }
    }

    /// The store has answered the claim of a suspect.
    pub(super) fn on_trial(&mut self, key: Key) {
        self.trial = match self.first_of(&key) {
            Some(seq) => Trial::Of(key, seq),
            None => Trial::None,
        };
    }

    fn first_of(&self, key: &Key) -> Option<Seq> {
        let lane = self.lanes.get(key)?;
        lane.queue.front().map(|item| item.seq())
    }
}
