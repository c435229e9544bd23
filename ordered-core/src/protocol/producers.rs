use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::stamp::{mark_of, slot_of};
use super::{Millis, Placement, SKIPPED_RANGES, SeqSet, Stamp};
use crate::event::EventId;

/// What the owner of a key knows of the producers of its events, where the order comes from them.
///
/// An event has its number in the key, and with it its turn, once the order says that it is next: it is *released*. Until
/// then it *waits* in the mailbox, in a slot that follows from its producer and seq.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Producers {
    /// In the order in which they came. None is ever taken out: what was forgotten would make wrong orders.
    known: Vec<Producer>,
    /// The slots of letters that were posted, and whose stamps the owner has not read.
    unread: SeqSet,
}

/// What is known of one producer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Producer {
    name: String,
    /// Up to here its events were released, or passed over.
    released: u64,
    /// Those of its events that wait, by seq.
    waiting: BTreeMap<u64, WaitingEvent>,
    /// Those that were released and are not done, by seq.
    numbered: BTreeMap<u64, Numbered>,
    /// Those that were passed over before they came: at most [`SKIPPED_RANGES`] ranges, the lowest are forgotten first.
    skipped: SeqSet,
}

/// An event that waits in the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct WaitingEvent {
    /// Tells its id from another one.
    mark: u64,
    /// Since when it waits.
    since: Millis,
    /// How many events of which producers come before it, as far as these were not released when it came.
    after: Vec<(u32, u64)>,
}

/// An event that has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Numbered {
    number: u64,
    mark: u64,
}

/// A key has as many producers as it may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "producer `{producer}` would be one more than the {most} that a key may have: raise `max_producers`, or let several producers \
     share a name and a numbering; then retry"
)]
pub struct MostProducers {
    /// How many it may have.
    pub most: u32,
    /// The one too many.
    pub producer: String,
}

/// Events that have not come, and without which an event cannot run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingCause {
    /// Their producer.
    pub producer: String,
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl fmt::Display for MissingCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { producer, from, to } = self;
        if from == to {
            write!(f, "event {from} of {producer}")
        } else {
            write!(f, "events {from} to {to} of {producer}")
        }
    }
}

impl Producers {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.unread.is_empty()
    }

    /// Each of them.
    #[must_use]
    pub fn known(&self) -> &[Producer] {
        &self.known
    }

    /// How many events wait for their number; those that nobody has read yet are among them.
    #[must_use]
    pub fn waiting_events(&self) -> u64 {
        let waiting = self.known.iter().map(|known| known.waiting.len() as u64);
        waiting.sum::<u64>() + self.unread.len()
    }

    /// The slots of the letters that wait, and of those that nobody has read yet.
    pub fn slots(&self) -> impl Iterator<Item = u64> + '_ {
        let waiting = self.known.iter().flat_map(|known| {
            let seqs = known.waiting.keys();
            seqs.map(|seq| slot_of(&known.name, *seq))
        });
        waiting.chain(self.unread.iter())
    }

    /// The slots of letters whose stamps nobody has read.
    #[must_use]
    pub fn unread(&self) -> &SeqSet {
        &self.unread
    }

    /// Up to which seq the events of the producer were released.
    #[must_use]
    pub fn released(&self, producer: &str) -> u64 {
        self.get(producer).map_or(0, |known| known.released)
    }

    fn get(&self, producer: &str) -> Option<&Producer> {
        self.known.iter().find(|known| known.name == producer)
    }

    /// The place of the producer among those that are known, where it is, or may be added.
    fn place_of(&mut self, producer: &str, most: u32) -> Result<usize, MostProducers> {
        let place = self.known.iter().position(|known| known.name == producer);
        if let Some(place) = place {
            return Ok(place);
        }
        if self.known.len() >= most as usize {
            let producer = producer.to_owned();
            return Err(MostProducers { most, producer });
        }
        self.known.push(Producer {
            name: producer.to_owned(),
            ..Producer::default()
        });
        Ok(self.known.len() - 1)
    }

    /// Whether the producer is among them.
    pub(crate) fn knows(&self, producer: &str) -> bool {
        self.get(producer).is_some()
    }

    /// What an event is. `seen` says whether its id is remembered; without that only some answers are certain, and `None`
    /// is the others.
    pub(crate) fn place(
        &self,
        stamp: &Stamp,
        id: &EventId,
        seen: Option<bool>,
    ) -> Option<Placement> {
        let Some(known) = self.get(stamp.producer()) else {
            return Some(Placement::Ahead);
        };
        let mark = mark_of(id);
        let is_same = |there: u64| {
            if there == mark {
                Placement::Duplicate
            } else {
                Placement::Conflict
            }
        };
        let seq = stamp.seq();
        if seq > known.released {
            let waiting = known.waiting.get(&seq);
            return Some(waiting.map_or(Placement::Ahead, |there| is_same(there.mark)));
        }
        if let Some(numbered) = known.numbered.get(&seq) {
            return Some(is_same(numbered.mark));
        }
        Some(match seen? {
            true => Placement::Duplicate,
            false if known.skipped.contains(seq) => Placement::Late,
            false => Placement::Stale,
        })
    }

    /// An event waits in the mailbox, in its slot.
    ///
    /// # Errors
    /// When a key would have too many producers. Nothing is noted then.
    pub(crate) fn wait(
        &mut self,
        stamp: &Stamp,
        id: &EventId,
        since: Millis,
        most: u32,
    ) -> Result<(), MostProducers> {
        let before = self.known.len();
        let after = stamp.causes().map(|(producer, count)| {
            let place = self.place_of(producer, most);
            place.map(|place| (place, count))
        });
        let after: Result<Vec<(usize, u64)>, MostProducers> = after.collect();
        let own = after.and_then(|after| {
            let own = self.place_of(stamp.producer(), most);
            own.map(|own| (own, after))
        });
        let (own, after) = match own {
            Ok(own) => own,
            Err(too_many) => {
                self.known.truncate(before);
                return Err(too_many);
            }
        };
        let is_open = |(place, count): &(usize, u64)| self.known[*place].released < *count;
        let after = after.into_iter().filter(is_open);
        let after = after.map(|(place, count)| (u32::try_from(place).unwrap_or(u32::MAX), count));
        let event = WaitingEvent {
            mark: mark_of(id),
            since,
            after: after.collect(),
        };
        self.unread.remove(stamp.slot());
        self.known[own].waiting.insert(stamp.seq(), event);
        Ok(())
    }

    /// A letter was posted, in this slot.
    pub(crate) fn posted(&mut self, slot: u64) {
        let mut waiting = self.known.iter().flat_map(|known| {
            let seqs = known.waiting.keys();
            seqs.map(|seq| slot_of(&known.name, *seq))
        });
        if !waiting.any(|known| known == slot) {
            self.unread.insert(slot);
        }
    }

    /// Whether the event waits in its slot.
    pub(crate) fn is_waiting(&self, stamp: &Stamp) -> bool {
        let known = self.get(stamp.producer());
        known.is_some_and(|known| known.waiting.contains_key(&stamp.seq()))
    }

    /// The letter in this slot was taken out, or has been read.
    pub(crate) fn forget_slot(&mut self, slot: u64) {
        if self.unread.remove(slot) {
            return;
        }
        for known in &mut self.known {
            let name = &known.name;
            known.waiting.retain(|seq, _| slot_of(name, *seq) != slot);
        }
    }

    /// An event was given a number, and its place in the state of the key: it is done, or in the mailbox under that number.
    pub(crate) fn count(&mut self, stamp: &Stamp, id: &EventId, number: u64, head: u64) {
        // There is room: that was looked at before it got its number.
        let Ok(place) = self.place_of(stamp.producer(), u32::MAX) else {
            return;
        };
        let known = &mut self.known[place];
        known.released = known.released.max(stamp.seq());
        if number >= head {
            let mark = mark_of(id);
            known
                .numbered
                .insert(stamp.seq(), Numbered { number, mark });
        }
    }

    /// The first event of each producer that waits, with the place of the producer, as far as that event is the producer's
    /// next. `released` says up to which seq the events of a producer are.
    fn heads<'a>(
        &'a self,
        released: &'a impl Fn(&Producer) -> u64,
    ) -> impl Iterator<Item = (usize, u64, &'a WaitingEvent)> + 'a {
        let producers = self.known.iter().enumerate();
        producers.filter_map(move |(place, known)| {
            let seq = released(known) + 1;
            Some((place, seq, known.waiting.get(&seq)?))
        })
    }

    /// The event that waits and is next: its producer's next, with all its causes released. Of several that of the producer
    /// whose name is the smallest.
    pub(crate) fn next(&self, released: impl Fn(&Producer) -> u64) -> Option<(usize, u64)> {
        let is_met = |(_, _, event): &(usize, u64, &WaitingEvent)| {
            let mut causes = event.causes();
            causes.all(|(place, count)| released(&self.known[place]) >= count)
        };
        let ready = self.heads(&released).filter(is_met);
        let first = ready
            .min_by(|(one, ..), (other, ..)| self.known[*one].name.cmp(&self.known[*other].name));
        first.map(|(place, seq, _)| (place, seq))
    }

    /// Gives an event that waits its number. Says from which slot it comes, and since when it has waited.
    pub(crate) fn release(&mut self, (place, seq): (usize, u64), number: u64) -> (u64, Millis) {
        let known = &mut self.known[place];
        let waited = known.waiting.remove(&seq);
        known.released = seq;
        let (mark, since) = waited.map_or((0, 0), |event| (event.mark, event.since));
        known.numbered.insert(seq, Numbered { number, mark });
        (slot_of(&known.name, seq), since)
    }

    /// What is below the head of the key is done.
    pub(crate) fn forget_done(&mut self, head: u64) {
        for known in &mut self.known {
            known.numbered.retain(|_, numbered| numbered.number >= head);
        }
    }

    /// Of the events that wait, the one that waits for the fewest others: its producer's place and its seq. One that waits for
    /// what waits itself comes after those that do not; there are only such where clocks make a circle.
    fn nearest(&self) -> Option<(usize, u64)> {
        let first = self.known.iter().enumerate().filter_map(|(place, known)| {
            let (seq, event) = known.waiting.first_key_value()?;
            let own = (place, seq - 1);
            let (mut missing, mut waits_for_waiting) = (0_u64, false);
            for (place, count) in std::iter::once(own).chain(event.causes()) {
                let cause = &self.known[place];
                missing = missing.saturating_add(count.saturating_sub(cause.released));
                waits_for_waiting |= cause.waiting.keys().any(|seq| *seq <= count);
            }
            Some((waits_for_waiting, missing, &known.name, place, *seq))
        });
        first.min().map(|(.., place, seq)| (place, seq))
    }

    /// What has not come and is waited for: without it the event that waits for the fewest others cannot run.
    #[must_use]
    pub fn missing(&self) -> Vec<MissingCause> {
        let Some((place, seq)) = self.nearest() else {
            return Vec::new();
        };
        let own = (place, seq - 1);
        let causes = self.known[place].waiting[&seq].causes();
        let mut missing: Vec<MissingCause> = std::iter::once(own)
            .chain(causes)
            .filter_map(|(place, to)| {
                let known = &self.known[place];
                let from = known.released + 1;
                // What waits itself has come.
                let to = known
                    .waiting
                    .range(from..=to.max(from))
                    .next()
                    .map_or(to, |(seq, _)| to.min(seq - 1));
                let producer = known.name.clone();
                (from <= to).then_some(MissingCause { producer, from, to })
            })
            .collect();
        missing.sort_unstable();
        missing
    }

    /// Passes over what is [missing](Self::missing), so that the event that waits for it is next. Says whether anything was.
    pub(crate) fn skip_missing(&mut self) -> bool {
        let Some((place, seq)) = self.nearest() else {
            return false;
        };
        for MissingCause { producer, from, to } in self.missing() {
            let known = self.known.iter_mut().find(|known| known.name == producer);
            let Some(known) = known else { continue };
            known.released = to;
            known.skipped.insert_range(from..=to);
            while known.skipped.ranges().len() > SKIPPED_RANGES
                && let Some((_, last)) = known.skipped.ranges().first().copied()
            {
                known.skipped.remove_up_to(last);
            }
        }
        // Clocks that make a circle wait for each other: nothing is missing, and nothing could run.
        if let Some(event) = self.known[place].waiting.get_mut(&seq) {
            event.after.clear();
        }
        true
    }
}

impl WaitingEvent {
    /// The places of producers, and how many events of each come before it.
    fn causes(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let causes = self.after.iter();
        causes.map(|(place, count)| (*place as usize, *count))
    }
}

impl Producer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Up to here its events were released, or passed over.
    #[must_use]
    pub fn released(&self) -> u64 {
        self.released
    }

    /// The seqs of its events that wait.
    pub fn waiting(&self) -> impl Iterator<Item = u64> + '_ {
        self.waiting.keys().copied()
    }
}
