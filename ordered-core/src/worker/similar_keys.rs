//! Keys that are one to a person, and two to the group.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use unicode_normalization::UnicodeNormalization;

use crate::event::Key;

/// How many keys are remembered at least; up to twice as many are.
const REMEMBERED_KEYS: usize = 10_000;

/// The keys that came last, by the hash of what they are without case and Unicode form.
#[derive(Debug, Default)]
pub(super) struct SimilarKeys {
    hasher: foldhash::fast::RandomState,
    // A std mutex: held for two looks into a map.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    recent: HashMap<u64, Forms, foldhash::fast::RandomState>,
    older: HashMap<u64, Forms, foldhash::fast::RandomState>,
}

/// The forms in which a key came: the first, and the last other one.
#[derive(Debug, Clone)]
struct Forms {
    first: Key,
    other: Option<Key>,
}

impl SimilarKeys {
    /// An event of the key came.
    pub(super) fn note(&self, key: &Key) {
        let folded = self.folded(key);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { recent, older } = &mut *seen;
        if let Some(forms) = recent.get_mut(&folded) {
            forms.note(key);
            return;
        }
        if recent.len() >= REMEMBERED_KEYS {
            *older = std::mem::take(recent);
        }
        let mut forms = older.remove(&folded).unwrap_or_else(|| Forms {
            first: key.clone(),
            other: None,
        });
        forms.note(key);
        recent.insert(folded, forms);
    }

    /// Another form of the key that came lately.
    pub(super) fn other_form(&self, key: &Key) -> Option<Key> {
        let folded = self.folded(key);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let forms = seen
            .recent
            .get(&folded)
            .or_else(|| seen.older.get(&folded))?;
        let Forms { first, other } = forms.clone();
        if first == *key { other } else { Some(first) }
    }

    /// The hash of the key without case and Unicode form.
    fn folded(&self, key: &Key) -> u64 {
        let (text, mut hasher) = (key.as_str(), self.hasher.build_hasher());
        if text.is_ascii() {
            let bytes = text.bytes();
            bytes.for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
        } else {
            let lower: String = text.nfkd().flat_map(char::to_lowercase).collect();
            let folded: String = lower.nfkd().collect();
            folded.bytes().for_each(|byte| hasher.write_u8(byte));
        }
        hasher.finish()
    }
}

impl Forms {
    fn note(&mut self, key: &Key) {
        if self.first != *key && self.other.as_ref() != Some(key) {
            self.other = Some(key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    #[test]
    fn keys_that_differ_in_case_or_unicode_form_are_found_and_no_others() {
        for (one, other) in [
            ("Order-7", "order-7"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("CAF\u{c9}", "cafe\u{301}"),
            ("ORDER-7", "\u{ff2f}rder-7"),
            ("\u{3a3}\u{3b1}", "\u{3c3}\u{391}"),
        ] {
            let similar_keys = SimilarKeys::default();
            similar_keys.note(&key(one));
            assert_eq!(similar_keys.other_form(&key(one)), None);
            similar_keys.note(&key("order-8"));
            similar_keys.note(&key(other));
            assert_eq!(
                similar_keys.other_form(&key(one)),
                Some(key(other)),
                "{one}"
            );
            assert_eq!(
                similar_keys.other_form(&key(other)),
                Some(key(one)),
                "{one}"
            );
            assert_eq!(similar_keys.other_form(&key("order-8")), None);
        }
    }

    #[test]
    fn a_bounded_number_of_keys_is_remembered() {
        let similar_keys = SimilarKeys::default();
        for number in 0..10 * REMEMBERED_KEYS {
            similar_keys.note(&key(&format!("k{number}")));
        }
        let seen = similar_keys.seen.lock().unwrap();
        assert!(seen.recent.len() + seen.older.len() <= 2 * REMEMBERED_KEYS);
        drop(seen);
        let last = 10 * REMEMBERED_KEYS - 1;
        let upper = key(&format!("K{last}"));
        assert_eq!(
            similar_keys.other_form(&upper),
            Some(key(&format!("k{last}")))
        );
    }
}
