use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// A set of seqs, kept as ranges in order: what is held behind a gap, or will never come, lies mostly side by side.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct SeqSet {
    /// First and last of each range. Sorted, and no two touch.
    ranges: Vec<(u64, u64)>,
}

impl SeqSet {
    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many seqs it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(from, to)| to - from + 1).sum()
    }

    /// How many ranges they lie in.
    #[must_use]
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    /// The smallest.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.ranges.first().map(|(from, _)| *from)
    }

    /// The largest.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.ranges.last().map(|(_, to)| *to)
    }

    /// Whether the seq is in it.
    #[must_use]
    pub fn contains(&self, seq: u64) -> bool {
        self.range_of(seq).is_ok()
    }

    /// The last seq of the range that `seq` is in.
    #[must_use]
    pub fn end_of_range(&self, seq: u64) -> Option<u64> {
        self.range_of(seq).ok().map(|at| self.ranges[at].1)
    }

    /// The smallest seq that is `seq` or larger.
    #[must_use]
    pub fn at_or_after(&self, seq: u64) -> Option<u64> {
        match self.range_of(seq) {
            Ok(_) => Some(seq),
            Err(at) => self.ranges.get(at).map(|(from, _)| *from),
        }
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges.iter().flat_map(|(from, to)| *from..=*to)
    }

    /// Adds a seq.
    pub fn insert(&mut self, seq: u64) {
        self.insert_range(seq..=seq);
    }

    /// Adds all seqs of a range.
    pub fn insert_range(&mut self, range: RangeInclusive<u64>) {
        let (mut from, mut to) = range.into_inner();
        if from > to {
            return;
        }
        // Those that end before the one before `from` do not touch it.
        let begin = self
            .ranges
            .partition_point(|(_, end)| end.saturating_add(1) < from);
        let mut end = begin;
        while let Some((first, last)) = self.ranges.get(end)
            && *first <= to.saturating_add(1)
        {
            (from, to) = (from.min(*first), to.max(*last));
            end += 1;
        }
        self.ranges.splice(begin..end, [(from, to)]);
    }

    /// Removes a seq. Says whether it was there.
    pub fn remove(&mut self, seq: u64) -> bool {
        let Ok(at) = self.range_of(seq) else {
            return false;
        };
        let (from, to) = self.ranges[at];
        let left = (from < seq).then(|| (from, seq - 1));
        let right = (seq < to).then(|| (seq + 1, to));
        self.ranges.splice(at..=at, left.into_iter().chain(right));
        true
    }

    /// Removes all seqs up to `to`.
    pub fn remove_up_to(&mut self, to: u64) {
        self.ranges.retain(|(_, end)| *end > to);
        if let Some((from, _)) = self.ranges.first_mut() {
            *from = (*from).max(to + 1);
        }
    }

    /// The index of the range that the seq is in, or of the first one beyond it.
    fn range_of(&self, seq: u64) -> Result<usize, usize> {
        let at = self.ranges.partition_point(|(_, end)| *end < seq);
        match self.ranges.get(at) {
            Some((from, _)) if *from <= seq => Ok(at),
            _ => Err(at),
        }
    }
}

impl fmt::Debug for SeqSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.ranges).finish()
    }
}

impl FromIterator<u64> for SeqSet {
    fn from_iter<T: IntoIterator<Item = u64>>(seqs: T) -> Self {
        let mut set = Self::default();
        seqs.into_iter().for_each(|seq| set.insert(seq));
        set
    }
}

/// As distances, which are short numbers: from the end of the range before to the begin, and the length less one.
impl From<SeqSet> for Vec<(u64, u64)> {
    fn from(set: SeqSet) -> Self {
        let mut before = 0;
        let distance = |(from, to): (u64, u64)| {
            let pair = (from - before, to - from);
            before = to;
            pair
        };
        set.ranges.into_iter().map(distance).collect()
    }
}

impl From<Vec<(u64, u64)>> for SeqSet {
    fn from(distances: Vec<(u64, u64)>) -> Self {
        let mut before = 0_u64;
        let mut set = Self::default();
        for (distance, length) in distances {
            let from = before.saturating_add(distance);
            let to = from.saturating_add(length);
            set.insert_range(from..=to);
            before = to;
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((0_u8..4, 0_u64..40, 0_u64..5), 0..60)) {
            let (mut set, mut plain) = (SeqSet::default(), BTreeSet::new());
            for (step, seq, length) in steps {
                match step {
                    0 => { set.insert(seq); plain.insert(seq); }
                    1 => { set.insert_range(seq..=seq + length); plain.extend(seq..=seq + length); }
                    2 => prop_assert_eq!(set.remove(seq), plain.remove(&seq)),
                    _ => { set.remove_up_to(seq); plain.retain(|other| *other > seq); }
                }
                prop_assert_eq!(set.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(set.len(), plain.len() as u64);
                prop_assert_eq!(set.last(), plain.last().copied());
                prop_assert_eq!(set.at_or_after(seq), plain.range(seq..).next().copied());
                prop_assert!(set.ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
                let again = SeqSet::from(Vec::from(set.clone()));
                prop_assert_eq!(&again, &set);
            }
        }
    }
}
