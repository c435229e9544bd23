use std::collections::BTreeMap;

use super::OutboxEvent;

/// The keys of a batch, counted here so that the server need not.
#[derive(Debug)]
pub struct Counted<'a> {
    /// The different keys, in the order of their bytes: that in which their counters are locked.
    pub(super) keys: Vec<&'a str>,
    /// How many events each has.
    pub(super) counts: Vec<i64>,
    /// Of each event which of the keys it has, from 1.
    pub(super) which: Vec<i32>,
    /// Of each event how many of its key stand behind it.
    pub(super) behind: Vec<i64>,
}

impl<'a> Counted<'a> {
    pub(super) fn of(
        events: impl DoubleEndedIterator<Item = &'a OutboxEvent> + ExactSizeIterator + Clone,
    ) -> Self {
        let mut places = BTreeMap::new();
        for event in events.clone() {
            places.insert(event.key.as_str(), 0_i32);
        }
        for (number, place) in (1..).zip(places.values_mut()) {
            *place = number;
        }
        let mut counted = Self {
            counts: vec![0; places.len()],
            which: Vec::with_capacity(events.len()),
            behind: Vec::with_capacity(events.len()),
            keys: Vec::new(),
        };
        for event in events.rev() {
            let place = places.get(event.key.as_str()).copied().unwrap_or_default();
            counted.which.push(place);
            if let Some(count) = counted.counts.get_mut(index(place)) {
                counted.behind.push(*count);
                *count += 1;
            }
        }
        counted.which.reverse();
        counted.behind.reverse();
        counted.keys = places.into_keys().collect();
        counted
    }

    /// The seq of each event, from the last one of each key; nothing where there are not as many of these as keys.
    pub(super) fn seqs(&self, last: &[i64]) -> Option<Vec<i64>> {
        let each = self.which.iter().zip(&self.behind);
        each.map(|(which, behind)| Some(last.get(index(*which))? - behind))
            .collect()
    }
}

/// Where a key is that is numbered from 1.
fn index(place: i32) -> usize {
    usize::try_from(place - 1).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use ordered_core::event::Key;

    use super::*;
    use crate::outbox::Payload;

    #[test]
    fn each_key_is_counted_in_the_order_of_the_events() {
        let events: Vec<OutboxEvent> = ["b", "a", "b", "ü", "a", "b"]
            .map(|key| {
                let key = Key::new(key).unwrap();
                OutboxEvent::new("order", key, "placed", Payload::Json("1".into()))
            })
            .into();
        let counted = Counted::of(events.iter());
        assert_eq!(counted.keys, ["a", "b", "ü"]);
        assert_eq!(counted.counts, [2, 3, 1]);
        assert_eq!(counted.which, [2, 1, 2, 3, 1, 2]);
        assert_eq!(counted.behind, [2, 1, 1, 0, 0, 0]);
        assert_eq!(counted.seqs(&[12, 3, 1]), Some(vec![1, 11, 2, 1, 12, 3]));
        assert_eq!(counted.seqs(&[12, 3]), None);
    }
}
