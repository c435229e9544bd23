//! What conflicts say of who numbers the events of a key.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::event::{EventId, Key};

/// So many conflicts of one kind are no accident.
const AGAIN: usize = 3;
/// Of how many keys conflicts are counted. With more, all begin anew.
const KEYS: usize = 1_000;

/// The conflicts of the keys.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    // A std mutex: conflicts are rare, and each is looked up once.
    keys: Mutex<HashMap<Key, KeyConflicts>>,
}

#[derive(Debug, Default)]
struct KeyConflicts {
    /// At which seqs.
    seqs: BTreeSet<u64>,
    /// The seq of the last one, and the ids that came under it.
    last: u64,
    ids: BTreeSet<EventId>,
}

/// What the conflicts of a key look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// Events with different ids come under one seq: it does not count.
    SameSeq,
    /// One seq after the other is in conflict: it is counted twice.
    SeqAfterSeq,
}

impl Conflicts {
    /// An event came under a seq that is another one's.
    pub(super) fn note(&self, key: &Key, seq: u64, id: &EventId) -> Option<Suspicion> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS && !keys.contains_key(key) {
            keys.clear();
        }
        let of_key = keys.entry(key.clone()).or_default();
        if of_key.last != seq {
            of_key.ids.clear();
            of_key.last = seq;
        }
        if of_key.ids.len() < AGAIN {
            of_key.ids.insert(id.clone());
        }
        if of_key.seqs.len() < AGAIN {
            of_key.seqs.insert(seq);
        }
        if of_key.ids.len() >= AGAIN {
            Some(Suspicion::SameSeq)
        } else if of_key.seqs.len() >= AGAIN {
            Some(Suspicion::SeqAfterSeq)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(conflicts: &Conflicts, key: &str, seq: u64, id: &str) -> Option<Suspicion> {
        let (key, id) = (Key::new(key).unwrap(), EventId::new(id).unwrap());
        conflicts.note(&key, seq, &id)
    }

    #[test]
    fn different_ids_under_one_seq_mean_that_it_does_not_count() {
        let conflicts = Conflicts::default();
        assert_eq!(note(&conflicts, "k", 1, "a"), None);
        assert_eq!(note(&conflicts, "k", 1, "b"), None);
        // The same event again says nothing new.
        assert_eq!(note(&conflicts, "k", 1, "b"), None);
        assert_eq!(note(&conflicts, "other", 1, "c"), None);
        assert_eq!(note(&conflicts, "k", 1, "c"), Some(Suspicion::SameSeq));
    }

    #[test]
    fn seq_after_seq_means_that_it_is_counted_twice() {
        let conflicts = Conflicts::default();
        assert_eq!(note(&conflicts, "k", 1, "a"), None);
        assert_eq!(note(&conflicts, "k", 2, "b"), None);
        assert_eq!(note(&conflicts, "k", 2, "b"), None);
        let found = note(&conflicts, "k", 5, "c");
        assert_eq!(found, Some(Suspicion::SeqAfterSeq));
    }

    #[test]
    fn a_bounded_number_of_keys_is_counted() {
        let conflicts = Conflicts::default();
        for number in 0..10 * KEYS {
            note(&conflicts, &format!("k{number}"), 1, "a");
        }
        assert!(conflicts.keys.lock().unwrap().len() <= KEYS);
    }
}
