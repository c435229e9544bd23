use ordered_events::core::transport::shuffle_within;

use super::{FAILING_KEYS, FIRST_FAILING_KEY, Keys, Load};

/// One event: its key, its place in the key, and its place among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) key: u32,
    pub(crate) seq: u64,
    pub(crate) index: u64,
}

/// The events of a trial in the order in which the queue gets them. The same seed gives the same.
pub(crate) fn plan(load: &Load, events: usize, seed: u64) -> Vec<Placed> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut keys = Chooser::new(load.keys);
    let mut planned = Vec::with_capacity(events + events / 8);
    for index in 0..events as u64 {
        let key = keys.next(&mut random);
        let placed = Placed {
            key,
            seq: keys.count(key),
            index,
        };
        planned.push(placed);
        if random.f64() < load.duplicates {
            planned.push(placed);
        }
    }
    shuffle_within(&mut planned, load.shuffle, &mut random);
    planned
}

/// The events that fail, which the queue gets first.
pub(crate) fn failing_events() -> Vec<Placed> {
    let failing = |number| Placed {
        key: FIRST_FAILING_KEY + number,
        seq: 1,
        // Beyond all others.
        index: u64::MAX - u64::from(number),
    };
    (0..FAILING_KEYS).map(failing).collect()
}

struct Chooser {
    seqs: Vec<u64>,
    /// The sums of the weights, for Zipf.
    sums: Vec<f64>,
}

impl Chooser {
    fn new(keys: Keys) -> Self {
        let (count, zipf) = match keys {
            Keys::Uniform(count) => (count, false),
            Keys::Zipf(count) => (count, true),
        };
        let mut sum = 0.0;
        let weigh = |rank| {
            sum += 1.0 / f64::from(rank);
            sum
        };
        Self {
            seqs: vec![0; count as usize],
            sums: if zipf {
                (1..=count).map(weigh).collect()
            } else {
                Vec::new()
            },
        }
    }

    fn next(&self, random: &mut fastrand::Rng) -> u32 {
        let count = self.seqs.len();
        let place = match self.sums.last() {
            None => random.usize(..count),
            Some(sum) => {
                let point = random.f64() * sum;
                self.sums
                    .partition_point(|sum| *sum <= point)
                    .min(count - 1)
            }
        };
        u32::try_from(place).unwrap_or(0)
    }

    fn count(&mut self, key: u32) -> u64 {
        let seq = &mut self.seqs[key as usize];
        *seq += 1;
        *seq
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::load::all;

    fn load(name: &str) -> Load {
        all().into_iter().find(|load| load.name == name).unwrap()
    }

    #[test]
    fn every_load_has_each_event_of_each_key_from_1_without_gaps() {
        for load in all() {
            let planned = plan(&load, 3_000, 7);
            let once: BTreeSet<_> = planned.iter().map(|event| (event.key, event.seq)).collect();
            assert_eq!(once.len(), 3_000, "{}", load.name);
            let whole = once
                .iter()
                .all(|(key, seq)| *seq == 1 || once.contains(&(*key, seq - 1)));
            assert!(whole, "{}", load.name);
        }
    }

    #[test]
    fn a_twentieth_of_the_shuffled_events_is_there_twice() {
        let planned = plan(&load("shuffled"), 20_000, 7).len();
        assert!((20_800..21_200).contains(&planned), "{planned}");
    }

    #[test]
    fn the_first_key_of_zipf_comes_twice_as_often_as_the_second() {
        let planned = plan(&load("zipf"), 100_000, 7);
        let count = |key| planned.iter().filter(|event| event.key == key).count();
        let (first, second) = (count(0), count(1));
        assert!(first > 9_000 && first < 11_500, "{first}");
        assert!(second > first * 2 / 5 && second < first * 3 / 5, "{second}");
    }
}
