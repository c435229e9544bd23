//! What an engine does when it knows more than the store: its lease had ended, or the store lost state.

use super::watermark::{Adoption, Watermark};
use super::{Engine, actor};
use crate::event::Key;
use crate::protocol::KeyState;

impl<D: Default> Engine<D> {
    /// The lease had ended, and is good again: what was owned before may be another worker's by now. Nothing begins
    /// until the store has granted it anew.
    pub fn on_lapse(&mut self) {
        for key in self.keys.sorted_keys() {
            if let Some(actor) = self.keys.get_mut(&key) {
                actor.lapsed = actor.pending;
                if let Some(own) = &mut actor.ownership {
                    own.uncertain = true;
                }
            }
        }
        self.touch_all();
    }

    /// The state of the group was lost, and the worker opened a new one: what it knows of its keys is written anew.
    /// First come the keys that it owns.
    pub fn adopt(&mut self) {
        self.on_lapse();
        self.shared.adoption = Adoption::Owned;
        if self.shared.draining {
            self.go_on_adopting();
        }
    }

    /// The next step of an adoption. To be called when every living worker has had the time to notice the loss since
    /// the last one. Says whether there is another step.
    pub fn go_on_adopting(&mut self) -> bool {
        match self.shared.adoption {
            Adoption::Over => return false,
            Adoption::Owned => {
                self.shared.adoption = Adoption::Remembered;
                for (key, _) in self.shared.watermarks.all() {
                    self.write_down(&key);
                }
            }
            Adoption::Remembered => self.shared.adoption = Adoption::Over,
        }
        self.touch_all();
        self.shared.adoption != Adoption::Over
    }

    /// The store says this of a key that waits for an event. Where the worker remembers more, the store lost state, and
    /// the key is set right.
    pub fn compare(&mut self, key: &Key, state: &KeyState) {
        let mark = self.shared.watermarks.get(key);
        if !self.shared.draining && mark.is_some_and(|mark| mark.is_beyond(state)) {
            self.write_down(key);
        }
    }

    /// Writes what the worker remembers of the key, unless it owns the key and has done so.
    fn write_down(&mut self, key: &Key) {
        let actor = actor(&mut self.keys, key);
        if actor.ownership.is_none() {
            actor.adopting = true;
            self.schedule.touch(actor);
        }
    }

    /// How far the worker knows keys to be committed.
    pub fn watermarks(&self) -> Vec<(Key, Watermark)> {
        self.shared.watermarks.all()
    }
}
