use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use crate::event::Key;

/// A hash map by key that is itself a value: two with the same entries are equal and have the same hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyMap<V>(HashMap<Key, V, foldhash::quality::RandomState>);

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<V> std::ops::Deref for KeyMap<V> {
    type Target = HashMap<Key, V, foldhash::quality::RandomState>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V> std::ops::DerefMut for KeyMap<V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<V> KeyMap<V> {
    /// The keys in order, so that what is done for all of them can be repeated.
    pub(super) fn sorted_keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.0.keys().cloned().collect();
        keys.sort_unstable();
        keys
    }
}

impl<V: Hash> Hash for KeyMap<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut entries: Vec<(&Key, &V)> = self.0.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.hash(state);
    }
}
