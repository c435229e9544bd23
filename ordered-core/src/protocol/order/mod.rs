//! The sequencing modes: which event of a key may run next. One file for each mode, with its whole rule.
//!
//! A mode decides nothing else. Ownership, the mailbox, ids, retries, halting, dead letters and the verbs of operators
//! are the same in all of them, and so is the body of a key.

mod arrival;
mod causal;
mod lamport;
mod monotonic;
mod sequence;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(super) use arrival::POSTED;
pub use arrival::{Arrival, Moved};
pub use causal::Causal;
pub use lamport::Lamport;
pub use monotonic::Monotonic;
pub use sequence::Sequence;

use super::producers::{Beside, Timeouts};
use super::{KeyState, Placement, Producer, Producers};

/// In which order the events of a key run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// 1, 2, 3, … as their producer numbers them: see [`Sequence`].
    #[default]
    Sequence,
    /// As the transport hands them over: see [`Arrival`].
    Arrival,
    /// The newest version wins, and older ones are superseded: see [`Monotonic`].
    Monotonic {
        /// Only the newest of the events that wait runs.
        coalesce: bool,
    },
    /// In the order of Lamport times, and of producers where these are the same; each event when nothing can come
    /// before it: see [`Lamport`].
    Lamport,
    /// As the vector clocks of several producers say, causes before effects: see [`Causal`].
    Causal,
}

impl Order {
    /// The word of the option `order`, of logs and of the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Arrival => "arrival",
            Self::Monotonic { .. } => "monotonic",
            Self::Lamport => "lamport",
            Self::Causal => "causal",
        }
    }

    /// Whether the numbers of the events of a key have no gaps, so that an event with a number waits for the one before
    /// it. Otherwise the head of a key is one of the events that wait.
    #[must_use]
    pub const fn waits_for_missing(self) -> bool {
        matches!(self, Self::Sequence)
    }

    /// Whether the owner of a key numbers its events. Otherwise their producer does.
    #[must_use]
    pub const fn numbers_itself(self) -> bool {
        matches!(self, Self::Arrival | Self::Lamport | Self::Causal)
    }

    /// Whether the order comes from the producers of the events: an event has its number once it may follow what it
    /// names.
    #[must_use]
    pub const fn has_producers(self) -> bool {
        matches!(self, Self::Lamport | Self::Causal)
    }

    /// Whether events have times, and wait for what may still come with an earlier one.
    #[must_use]
    pub const fn has_times(self) -> bool {
        matches!(self, Self::Lamport)
    }

    /// Whether anything is done about an event that has not come.
    #[must_use]
    pub const fn has_gaps(self) -> bool {
        matches!(self, Self::Sequence | Self::Lamport | Self::Causal)
    }

    /// Whether it is a version that an event has for its seq.
    #[must_use]
    pub const fn has_versions(self) -> bool {
        matches!(self, Self::Monotonic { .. })
    }

    /// Whether only the newest of the events that wait runs.
    #[must_use]
    pub const fn coalesces(self) -> bool {
        matches!(self, Self::Monotonic { coalesce: true })
    }

    /// Whether what one of them has stored of a key means the same to the other.
    #[must_use]
    pub fn is_compatible(self, other: Self) -> bool {
        self.as_str() == other.as_str()
    }

    /// The head of the key, where that is one of the events that wait: `first` and `last` are those in memory.
    pub(super) fn head(
        self,
        state: &KeyState,
        first: Option<u64>,
        last: Option<u64>,
    ) -> Option<u64> {
        match self {
            Self::Sequence => None,
            Self::Monotonic { coalesce: true } => Monotonic::newest(state, last),
            Self::Arrival | Self::Lamport | Self::Causal | Self::Monotonic { coalesce: false } => {
                first_waiting(state, first)
            }
        }
    }

    /// Whether an event runs next after the one at `before`, where both are in memory.
    pub(super) fn follows(self, state: &KeyState, before: u64, seq: u64) -> bool {
        match self {
            Self::Sequence => Sequence::follows(before, seq),
            Self::Arrival | Self::Lamport | Self::Causal | Self::Monotonic { .. } => {
                before < seq && first_waiting_after(state, before).is_none_or(|held| held >= seq)
            }
        }
    }

    /// What an event is whatever its seq is; `None` where the seq decides.
    pub(super) fn place_by_id(self, seen: bool) -> Option<Placement> {
        match self {
            Self::Arrival if seen => Some(Placement::Duplicate),
            _ => None,
        }
    }

    /// Of the events that wait for their number in the mailbox, the one that is next: the place of its producer, and
    /// its seq. `beside` is what waits elsewhere.
    pub(super) fn next_waiting(
        self,
        producers: &Producers,
        beside: &Beside,
        timeouts: Timeouts,
    ) -> Option<(usize, u64)> {
        match self {
            Self::Causal => Causal::next(producers, Producer::released),
            Self::Lamport => Lamport::next_waiting(producers, beside, timeouts),
            Self::Sequence | Self::Arrival | Self::Monotonic { .. } => None,
        }
    }

    /// Of the events that wait for their number, the one that is late and its producer's next.
    pub(super) fn late_waiting(self, producers: &Producers) -> Option<(usize, u64)> {
        match self {
            Self::Lamport => producers.late(),
            Self::Sequence | Self::Arrival | Self::Monotonic { .. } | Self::Causal => None,
        }
    }

    /// What an event is whose seq the key has passed, and of which nothing else is known.
    pub(super) fn place_passed(self, is_young: bool) -> Placement {
        match self {
            Self::Monotonic { .. } => Placement::Superseded,
            Self::Sequence | Self::Arrival | Self::Lamport | Self::Causal => {
                Sequence::passed(is_young)
            }
        }
    }
}

/// The first of the events that wait beyond the last seq.
fn first_waiting(state: &KeyState, in_memory: Option<u64>) -> Option<u64> {
    let held = state.held.at_or_after(state.head());
    held.into_iter().chain(in_memory).min()
}

fn first_waiting_after(state: &KeyState, seq: u64) -> Option<u64> {
    state.held.at_or_after(seq.saturating_add(1))
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
