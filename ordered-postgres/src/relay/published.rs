use std::collections::HashMap;

/// Up to which seq keys are published, as far as it is known: of the keys that were published last.
///
/// It saves questions to the database, and duplicates. Nothing is wrong where it has forgotten a key.
#[derive(Debug)]
pub(super) struct Published {
    recent: HashMap<String, i64>,
    /// When the recent ones are too many, they become these, which are then forgotten.
    earlier: HashMap<String, i64>,
    most: usize,
}

impl Published {
    /// Remembers at least this many keys, and at most twice as many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            recent: HashMap::new(),
            earlier: HashMap::new(),
            most,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<i64> {
        let seq = self.recent.get(key).or_else(|| self.earlier.get(key));
        seq.copied()
    }

    pub(super) fn put(&mut self, key: &str, seq: i64) {
        if let Some(known) = self.recent.get_mut(key) {
            *known = (*known).max(seq);
            return;
        }
        if self.recent.len() >= self.most {
            self.earlier = std::mem::take(&mut self.recent);
        }
        let earlier = self.earlier.get(key).copied().unwrap_or_default();
        self.recent.insert(key.to_owned(), seq.max(earlier));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_published_last_is_known_and_memory_is_bounded() {
        let mut published = Published::new(10);
        for number in 0..1_000 {
            published.put(&number.to_string(), number);
            published.put("hot", number);
        }
        assert_eq!(published.get("hot"), Some(999));
        assert_eq!(published.get("999"), Some(999));
        assert_eq!(published.get("0"), None);
        assert!(published.recent.len() + published.earlier.len() <= 20);
        published.put("hot", 5);
        assert_eq!(published.get("hot"), Some(999));
    }
}
