use std::hash::Hasher;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use super::HeldNote;
use super::order::POSTED;
use crate::event::{EventId, Seq};
use crate::logical::VectorClock;

/// What an event says of its place, where the order of a key comes from its producers: who sent it, as which of its
/// events of the key, and what it knew then.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    producer: String,
    seq: u64,
    time: Option<u64>,
    clock: VectorClock,
}

/// A stamp that no event can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStamp {
    /// The name of the producer is empty or too long.
    #[error(
        "the producer is {0:?}, and must have a name of 1 to {most} bytes",
        most = Stamp::MAX_PRODUCER_BYTES
    )]
    Producer(String),
    /// The clock names a producer whose name is empty or too long.
    #[error(
        "the clock counts the events of {0:?}, and the name of a producer has 1 to {most} bytes",
        most = Stamp::MAX_PRODUCER_BYTES
    )]
    Counted(String),
    /// The clock does not count the event itself.
    #[error(
        "the clock does not count the event itself: it says nothing of its producer `{0}`, whose events of a key are \
         1, 2, 3, … there"
    )]
    NotCounted(String),
    /// The events of a producer begin with 1.
    #[error(
        "the seq of an event of producer `{0}` is {1}, and a producer's events of a key are 1, 2, 3, …, up to 2^53-1"
    )]
    Seq(String, u64),
    /// The time is 0, or larger than JSON readers hold exactly.
    #[error(
        "the time of an event of producer `{0}` is {1}, and is at least 1 and at most 9007199254740991 (2^53-1)"
    )]
    Time(String, u64),
    /// A count is larger than a seq can be.
    #[error("the clock counts {1} events of `{0}`, and a seq is at most 9007199254740991 (2^53-1)")]
    TooMany(String, u64),
}

impl Stamp {
    /// How many bytes the name of a producer has at the most.
    pub const MAX_PRODUCER_BYTES: usize = 128;

    /// That of an event with a vector clock: its own producer's count is its seq.
    ///
    /// # Errors
    /// When a name is empty or too long, or the clock does not count the event itself.
    pub fn causal(producer: impl Into<String>, clock: VectorClock) -> Result<Self, InvalidStamp> {
        let producer = producer.into();
        if !is_name(&producer) {
            return Err(InvalidStamp::Producer(shortened(&producer)));
        }
        for (name, count) in clock.iter() {
            if !is_name(name) {
                return Err(InvalidStamp::Counted(shortened(name)));
            }
            if count > Seq::MAX.get() {
                return Err(InvalidStamp::TooMany(name.to_owned(), count));
            }
        }
        match clock.of(&producer) {
            0 => Err(InvalidStamp::NotCounted(producer)),
            seq => Ok(Self {
                producer,
                seq,
                time: None,
                clock,
            }),
        }
    }

    /// That of an event with the time of a Lamport clock, the `seq`-th of its producer.
    ///
    /// # Errors
    /// When the name is empty or too long, or a number is out of bounds.
    pub fn lamport(producer: impl Into<String>, seq: u64, time: u64) -> Result<Self, InvalidStamp> {
        let producer = producer.into();
        if !is_name(&producer) {
            return Err(InvalidStamp::Producer(shortened(&producer)));
        }
        if !(1..=Seq::MAX.get()).contains(&seq) {
            return Err(InvalidStamp::Seq(producer, seq));
        }
        if !(1..=Seq::MAX.get()).contains(&time) {
            return Err(InvalidStamp::Time(producer, time));
        }
        Ok(Self {
            producer,
            seq,
            time: Some(time),
            clock: VectorClock::default(),
        })
    }

    /// The name, if a producer can have it.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn named(producer: &str) -> Result<&str, InvalidStamp> {
        if is_name(producer) {
            Ok(producer)
        } else {
            Err(InvalidStamp::Producer(shortened(producer)))
        }
    }

    /// Who sent the event.
    #[must_use]
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// As which of the producer's events of the key it was sent: 1, 2, 3, ….
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The time of its producer's Lamport clock when it was sent; `None` where it has a vector clock.
    #[must_use]
    pub fn time(&self) -> Option<u64> {
        self.time
    }

    /// What its producer knew, with the event itself; nothing where it has the time of a Lamport clock.
    #[must_use]
    pub fn vector(&self) -> &VectorClock {
        &self.clock
    }

    /// The events of other producers that come before it: how many of each.
    pub(crate) fn causes(&self) -> impl Iterator<Item = (&str, u64)> {
        let of_others = self.clock.iter();
        of_others.filter(|(producer, _)| *producer != self.producer)
    }

    /// Whether both are the stamp of one event, or of two that cannot both be right.
    pub(crate) fn is_place_of(&self, other: &Self) -> bool {
        self.seq == other.seq && self.producer == other.producer
    }

    /// The number of the slot that it waits under: the same for every worker.
    pub(crate) fn slot(&self) -> u64 {
        slot_of(&self.producer, self.seq)
    }

    /// The note of a letter, with the stamp of its event.
    pub(crate) fn beside(&self, note: &HeldNote) -> Bytes {
        let note = note.encode().to_vec();
        postcard::to_extend(self, note)
            .expect("numbers and strings always serialise into memory")
            .into()
    }

    /// The stamp in the note of a letter.
    pub(crate) fn of_note(note: &[u8]) -> Option<Self> {
        let (_, stamp) = postcard::take_from_bytes::<HeldNote>(note).ok()?;
        postcard::from_bytes(stamp).ok()
    }
}

/// The number of the slot that an event of a producer waits under. It is far above every number that a key gives.
pub(super) fn slot_of(producer: &str, seq: u64) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(producer.as_bytes());
    hasher.write_u8(0xff);
    hasher.write_u64(seq);
    POSTED | hasher.finish()
}

/// What is kept of an id to tell it from another one.
pub(super) fn mark_of(id: &EventId) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(id.as_str().as_bytes());
    hasher.finish()
}

fn is_name(name: &str) -> bool {
    (1..=Stamp::MAX_PRODUCER_BYTES).contains(&name.len())
}

/// For a message: a name that is too long is not repeated in full.
fn shortened(name: &str) -> String {
    name.chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(counts: &[(&str, u64)]) -> VectorClock {
        let counts = counts.iter().map(|(name, count)| ((*name).into(), *count));
        let counts: std::collections::BTreeMap<String, u64> = counts.collect();
        counts.try_into().expect("they are few")
    }

    #[test]
    fn a_clock_counts_its_own_event() {
        let stamp = Stamp::causal("ada", clock(&[("ada", 2), ("bob", 7)])).unwrap();
        assert_eq!((stamp.producer(), stamp.seq()), ("ada", 2));
        assert_eq!(stamp.causes().collect::<Vec<_>>(), [("bob", 7)]);
        let error = Stamp::causal("eve", clock(&[("ada", 2)])).unwrap_err();
        assert_eq!(error, InvalidStamp::NotCounted("eve".into()));
    }

    #[test]
    fn names_have_a_length_and_counts_an_end() {
        let long = "x".repeat(Stamp::MAX_PRODUCER_BYTES + 1);
        for name in ["", &long] {
            let error = Stamp::causal(name, clock(&[(name, 1)])).unwrap_err();
            assert!(matches!(error, InvalidStamp::Producer(_)), "{error}");
            let error = Stamp::causal("ada", clock(&[("ada", 1), (name, 1)])).unwrap_err();
            assert!(matches!(error, InvalidStamp::Counted(_)), "{error}");
            assert!(error.to_string().len() < 200, "{error}");
        }
        let error = Stamp::causal("ada", clock(&[("ada", 1 << 53)])).unwrap_err();
        assert_eq!(error, InvalidStamp::TooMany("ada".into(), 1 << 53));
        let longest = &long[1..];
        assert!(Stamp::causal(longest, clock(&[(longest, 1)])).is_ok());
    }

    #[test]
    fn a_note_keeps_the_stamp_beside_what_it_says_anyhow() {
        let stamp = Stamp::causal("ada", clock(&[("ada", 2), ("bob", 7)])).unwrap();
        let note = HeldNote {
            since: 5,
            checked: Some(3),
        };
        let bytes = stamp.beside(&note);
        assert_eq!(HeldNote::decode(&bytes), note);
        assert_eq!(Stamp::of_note(&bytes), Some(stamp));
        assert_eq!(Stamp::of_note(&note.encode()), None);
    }
}
