use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A vector clock: for each producer, how many of its events are known.
///
/// After C. Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering" (1988), and F. Mattern,
/// "Virtual Time and Global States of Distributed Systems" (1989). Unlike a [`LamportClock`](super::LamportClock) it
/// tells a cause from what only came earlier.
///
/// As JSON it is an object: `{"shop": 3, "bank": 1}`. A producer that is not in it has counted nothing.
///
/// ```
/// use ordered_core::logical::{Causality, VectorClock};
///
/// let (mut comments, mut replies) = (VectorClock::default(), VectorClock::default());
/// let comment = comments.send("ada")?;
/// replies.receive("bob", &comment)?;
/// let reply = replies.send("bob")?;
/// assert_eq!(comment.compare(&reply), Causality::Before);
/// let other = VectorClock::default().send("eve")?;
/// assert_eq!(other.compare(&reply), Causality::Concurrent);
/// # Ok::<_, ordered_core::logical::TooManyProducers>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, u64>", into = "BTreeMap<String, u64>")]
pub struct VectorClock(BTreeMap<String, u64>);

/// What one event is to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Causality {
    /// It may be its cause.
    Before,
    /// It may be its effect.
    After,
    /// They have the same clock.
    Equal,
    /// Neither knew of the other.
    Concurrent,
}

/// A clock has as many producers as it may have. None is ever left out: what is left out would make wrong orders.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the vector clock has {most} producers, and may not have another one, `{producer}`: let several of them share a \
     name, or split the key"
)]
pub struct TooManyProducers {
    /// How many it may have.
    pub most: usize,
    /// The one too many.
    pub producer: String,
}

crate::debug_as_text!(TooManyProducers);

impl VectorClock {
    /// How many producers a clock has at the most.
    pub const MAX_PRODUCERS: usize = 256;

    /// How many events of the producer are known.
    #[must_use]
    pub fn of(&self, producer: &str) -> u64 {
        self.0.get(producer).copied().unwrap_or(0)
    }

    /// The producers of which events are known, with how many, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0
            .iter()
            .map(|(producer, count)| (producer.as_str(), *count))
    }

    /// The producer sends an event: the clock that goes with it.
    ///
    /// # Errors
    /// When there are [`MAX_PRODUCERS`](Self::MAX_PRODUCERS) others. Nothing is changed then.
    pub fn send(&mut self, producer: &str) -> Result<Self, TooManyProducers> {
        let count = self.of(producer).saturating_add(1);
        self.set(producer, count)?;
        Ok(self.clone())
    }

    /// The producer receives an event with this clock, and knows from now on what its sender knew. The receipt counts
    /// as an event of its own.
    ///
    /// # Errors
    /// When there would be more than [`MAX_PRODUCERS`](Self::MAX_PRODUCERS). Nothing is changed then.
    pub fn receive(&mut self, producer: &str, clock: &Self) -> Result<Self, TooManyProducers> {
        let mut merged = self.clone();
        merged.merge(clock)?;
        let received = merged.send(producer)?;
        *self = merged;
        Ok(received)
    }

    /// Knows from now on what the other one knows.
    ///
    /// # Errors
    /// When there would be more than [`MAX_PRODUCERS`](Self::MAX_PRODUCERS). Nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<(), TooManyProducers> {
        let mut merged = self.clone();
        for (producer, count) in other.iter() {
            merged.set(producer, count.max(merged.of(producer)))?;
        }
        *self = merged;
        Ok(())
    }

    fn set(&mut self, producer: &str, count: u64) -> Result<(), TooManyProducers> {
        if let Some(known) = self.0.get_mut(producer) {
            *known = count;
        } else if self.0.len() < Self::MAX_PRODUCERS {
            self.0.insert(producer.to_owned(), count);
        } else {
            return Err(TooManyProducers {
                most: Self::MAX_PRODUCERS,
                producer: producer.to_owned(),
            });
        }
        Ok(())
    }

    /// What the event with this clock is to the one with the other.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Causality {
        match self.partial_cmp(other) {
            Some(Ordering::Less) => Causality::Before,
            Some(Ordering::Greater) => Causality::After,
            Some(Ordering::Equal) => Causality::Equal,
            None => Causality::Concurrent,
        }
    }

    fn knows_all_of(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|(producer, count)| self.of(producer) >= count)
    }
}

impl TryFrom<BTreeMap<String, u64>> for VectorClock {
    type Error = TooManyProducers;

    fn try_from(mut counts: BTreeMap<String, u64>) -> Result<Self, TooManyProducers> {
        counts.retain(|_, count| *count > 0);
        match counts.keys().nth(Self::MAX_PRODUCERS) {
            Some(producer) => Err(TooManyProducers {
                most: Self::MAX_PRODUCERS,
                producer: producer.clone(),
            }),
            None => Ok(Self(counts)),
        }
    }
}

impl From<VectorClock> for BTreeMap<String, u64> {
    fn from(clock: VectorClock) -> Self {
        clock.0
    }
}

/// Causality: smaller is what may be the cause.
impl PartialOrd for VectorClock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.knows_all_of(other), other.knows_all_of(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}
