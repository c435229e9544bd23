use super::key_map::KeyMap;
use crate::event::Key;

/// For how many ticks events may wait for room.
const TICKS: u64 = 2;

/// Keys with more events than their queue has room for. Their events wait in memory for a while, and are held in the
/// store if that takes too long.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Overflow {
    /// Since which tick each has waited.
    keys: KeyMap<u64>,
    tick: u64,
    /// Whether anything was delivered since the last tick, and whether it was anything but more of the overflow.
    came: bool,
    others_came: bool,
}

impl Overflow {
    /// An event was delivered; it is one too many for this key, or for none.
    pub(super) fn delivered(&mut self, too_many_for: Option<&Key>) {
        self.came = true;
        match too_many_for {
            Some(key) if !self.keys.contains_key(key) => {
                self.keys.insert(key.clone(), self.tick);
            }
            Some(_) => {}
            None => self.others_came = true,
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        if !self.keys.is_empty() {
            self.keys.remove(key);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Half of the time is over for which events may wait. Returns the keys that have waited for all of it, and forgets
    /// them and those that have room by now. None where the broker brings more of the same and nothing else, since it
    /// would only bring more of it.
    pub(super) fn tick(&mut self, has_room: impl Fn(&Key) -> bool) -> Vec<Key> {
        self.tick += 1;
        let more_of_the_same =
            std::mem::take(&mut self.came) & !std::mem::take(&mut self.others_came);
        if more_of_the_same {
            return Vec::new();
        }
        self.keys.retain(|key, _| !has_room(key));
        let mut over = self.keys.sorted_keys();
        over.retain(|key| self.keys[key] + TICKS < self.tick);
        for key in &over {
            self.keys.remove(key);
        }
        over
    }

    /// Counts ticks anew, so that engines that differ in nothing else are one.
    pub(super) fn renumber(&mut self) {
        let now = TICKS + 2;
        for since in self.keys.values_mut() {
            *since = now - (self.tick - *since).min(now);
        }
        self.tick = now;
    }
}
