use super::key_map::KeyMap;
use crate::event::Key;
use crate::protocol::state::behind;
use crate::protocol::{Fence, KeyState};

/// How many keys are remembered at least; up to twice as many are.
const REMEMBERED_KEYS: usize = 50_000;

/// How far the worker knows keys to be committed, whatever the store says: what a store loses is noticed by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Watermarks {
    recent: KeyMap<Watermark>,
    older: KeyMap<Watermark>,
}

/// How far a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Watermark {
    /// The epoch of the key.
    pub epoch: u64,
    /// The last committed seq in it.
    pub last_seq: u64,
    /// The highest fence that the worker had for it.
    pub fence: u64,
}

/// How far a worker is with writing what it remembers into a new state of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Adoption {
    /// It has written everything, or there was nothing to write.
    #[default]
    Over,
    /// Those keys come first that the worker owned: no other worker knows more of them.
    Owned,
    /// Then come all that it remembers. A key that it does not remember waits: another worker may.
    Remembered,
}

impl Watermark {
    pub(super) fn of(state: &KeyState, fence: Fence) -> Self {
        Self {
            epoch: state.epoch,
            last_seq: state.last_seq,
            fence: fence.0,
        }
    }

    /// The higher of both, in position and in fence.
    pub(super) fn join(self, other: Self) -> Self {
        let place = |mark: &Self| (mark.epoch, behind(mark.last_seq));
        let higher = std::cmp::max_by_key(self, other, place);
        let fence = self.fence.max(other.fence);
        Self { fence, ..higher }
    }

    /// Whether the key was further than this state says.
    pub(super) fn is_beyond(self, state: &KeyState) -> bool {
        (self.epoch, behind(self.last_seq)) > (state.epoch, state.head())
    }
}

impl Watermarks {
    pub(super) fn note(&mut self, key: &Key, mark: Watermark) {
        if let Some(known) = self.recent.get_mut(key) {
            *known = mark;
            return;
        }
        if self.recent.len() >= REMEMBERED_KEYS {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key.clone(), mark);
    }

    pub(super) fn get(&self, key: &Key) -> Option<Watermark> {
        let known = self.recent.get(key).or_else(|| self.older.get(key));
        known.copied()
    }

    /// An operator or a producer moved the key on purpose.
    pub(super) fn forget(&mut self, key: &Key) {
        self.recent.remove(key);
        self.older.remove(key);
    }

    /// Shows the visitor every fence.
    pub(super) fn visit(&mut self, visitor: &mut impl super::Visitor) {
        for mark in self.recent.values_mut().chain(self.older.values_mut()) {
            let mut fence = crate::protocol::Fence(mark.fence);
            visitor.fence(&mut fence);
            mark.fence = fence.0;
        }
    }

    /// All of them, sorted by key.
    pub(super) fn all(&self) -> Vec<(Key, Watermark)> {
        let older = self
            .older
            .iter()
            .filter(|(key, _)| !self.recent.contains_key(*key));
        let mut all: Vec<_> = self
            .recent
            .iter()
            .chain(older)
            .map(|(key, mark)| (key.clone(), *mark))
            .collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}
