mod gaps;
mod missing;
mod times;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use missing::MissingCause;
pub use times::Gone;
use times::Times;
pub(crate) use times::{Beside, Progress, Timeouts};

use super::stamp::{mark_of, slot_of};
use super::{Millis, Placement, RepairAsked, SeqSet, Stamp};
use crate::event::EventId;

/// What the owner of a key knows of the producers of its events, where the order comes from them.
///
/// An event has its number in the key, and with it its turn, once the order says that it is next: it is *released*.
/// Until then it *waits* in the mailbox, in a slot that follows from its producer and seq.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Producers {
    /// In the order in which they came. None is ever taken out: what was forgotten would make wrong orders.
    known: Vec<Producer>,
    /// The slots of letters that were posted, and whose stamps the owner has not read.
    unread: SeqSet,
    /// The time and the producer of the last event that was released, where events have times.
    last: Option<(u64, String)>,
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
    /// What it says will never come, beyond `released`.
    absent: SeqSet,
    /// The last request for its next event, which has not come.
    asked: Option<RepairAsked>,
    /// What it says of its clock, where events have times.
    times: Times,
}

/// An event that waits in the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct WaitingEvent {
    /// Tells its id from another one.
    mark: u64,
    /// Since when it waits.
    since: Millis,
    /// Its time, where events have times.
    time: Option<u64>,
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
    "producer `{producer}` would be one more than the {most} that a key may have: raise `max_producers`, or let \
     several producers share a name and a numbering; then retry"
)]
pub struct MostProducers {
    /// How many it may have.
    pub most: u32,
    /// The one too many.
    pub producer: String,
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

    /// What an event is. `seen` says whether its id is remembered; without that only some answers are certain, and
    /// `None` is the others.
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
            time: stamp.time(),
            after: after.collect(),
        };
        self.unread.remove(stamp.slot());
        self.known[own].absent.remove(stamp.seq());
        self.known[own].waiting.insert(stamp.seq(), event);
        if stamp.time().is_some() {
            self.heard_of(own, since, stamp.seq());
        }
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

    /// An event was given a number, and its place in the state of the key: it is done, or in the mailbox under that
    /// number.
    pub(crate) fn count(
        &mut self,
        stamp: &Stamp,
        id: &EventId,
        (number, head): (u64, u64),
        now: Millis,
    ) {
        // There is room: that was looked at before it got its number.
        let Ok(place) = self.place_of(stamp.producer(), u32::MAX) else {
            return;
        };
        if let Some(time) = stamp.time() {
            self.pass_time(place, time);
            self.heard_of(place, now, stamp.seq());
        }
        let known = &mut self.known[place];
        known.advance(stamp.seq());
        if number >= head {
            let mark = mark_of(id);
            known
                .numbered
                .insert(stamp.seq(), Numbered { number, mark });
        }
    }

    /// The first event of each producer that waits, with the place of the producer, as far as that event is the
    /// producer's next. `released` says up to which seq the events of a producer are.
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

    /// The event that waits and is next: its producer's next, with all its causes released. Of several that of the
    /// producer whose name is the smallest.
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
        let waited = self.known[place].waiting.remove(&seq);
        if let Some(time) = waited.as_ref().and_then(|event| event.time) {
            self.pass_time(place, time);
        }
        let known = &mut self.known[place];
        known.advance(seq);
        let (mark, since) = waited.map_or((0, 0), |event| (event.mark, event.since));
        known.numbered.insert(seq, Numbered { number, mark });
        (slot_of(&known.name, seq), since)
    }

    /// The producer of an event that waits, and its time where events have times.
    pub(crate) fn named(&self, (place, seq): (usize, u64)) -> (&str, Option<u64>) {
        let known = &self.known[place];
        let event = known.waiting.get(&seq);
        (&known.name, event.and_then(|event| event.time))
    }

    /// What is below the head of the key is done.
    pub(crate) fn forget_done(&mut self, head: u64) {
        for known in &mut self.known {
            known.numbered.retain(|_, numbered| numbered.number >= head);
        }
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
