use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::super::KeyState;
use crate::event::{EventId, Key};
use crate::store::Slot;

/// Events have no number. They run one at a time in the order in which the transport hands them over, each id once.
///
/// This is the order of a FIFO queue with at-least-once delivery, made idempotent by ids: P. Helland, "Life beyond
/// Distributed Transactions: an Apostate's Opinion" (CIDR 2007).
///
/// The rule: *with each answer of the store the owner of a key numbers its events: first the mail that it tells, and
/// then what was delivered to the owner before it asked, each in its order; from then on they are events with numbers.*
/// So retries, halts, dead letters and the verbs of operators need nothing else.
///
/// - A worker that does not own the key knows no number. It posts the event under a slot that follows from its id.
///   The *mail*, which the store keeps in the order of posting, is the order; the owner moves each letter to the slot
///   of its number when it takes the mail in.
/// - Numbers may have gaps: a number that was given in memory is lost with its worker. A number that nothing waits
///   under is passed, and never waited for.
/// - An event is stored only together with those before it that are in memory alone. Otherwise it would overtake them
///   if the worker died.
/// - A repetition that nobody recognises at once gets a number, and is dropped when it is its turn: its id is
///   remembered by then.
///
/// What it does not promise: an order between events that the transport hands over to different workers at the same
/// time, and the place of an event that a quota sent back to the broker.
#[derive(Debug)]
pub struct Arrival;

/// A letter that was posted, and the number that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moved {
    /// The slot that it was posted under, as the mail says it.
    pub posted: u64,
    /// Its number.
    pub seq: u64,
}

/// What lies at or above is the number of a posted letter, below it are those of the key.
pub(in crate::protocol) const POSTED: u64 = 1 << 63;
/// What lies between this and `POSTED` is the place of an event in the memory of a worker that has not numbered it.
const UNNUMBERED: u64 = 1 << 62;

impl Arrival {
    /// The slot that an event without a number is posted under: the same for the same event, so that a repetition is
    /// known.
    #[must_use]
    pub fn slot(key: &Key, id: &EventId) -> Slot {
        let mut hasher = SipHasher24::new();
        hasher.write(key.as_str().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(id.as_str().as_bytes());
        Slot::Held(POSTED | hasher.finish())
    }

    /// The place of the event that a worker got as its so many-eth of the key, and that has no number.
    pub(crate) fn unnumbered(place: u64) -> u64 {
        UNNUMBERED | place
    }

    /// Whether a seq is the place of an event without a number.
    pub(crate) fn is_unnumbered(seq: u64) -> bool {
        seq >= UNNUMBERED
    }

    /// Numbers what was posted, in its order, above all that has a number. `known` are numbers that were given before
    /// and not saved.
    pub(crate) fn number(
        state: &mut KeyState,
        above: u64,
        mail: &[u64],
        known: &[Moved],
    ) -> Vec<Moved> {
        let known_top = known.iter().map(|moved| moved.seq).max().unwrap_or(0);
        let mut top = Self::top(state).max(above).max(known_top);
        let mut number = |posted: &u64| {
            let before = known.iter().find(|moved| moved.posted == *posted);
            let moved = before.copied().unwrap_or_else(|| {
                top += 1;
                let (posted, seq) = (*posted, top);
                Moved { posted, seq }
            });
            state.held.insert(moved.seq);
            moved
        };
        mail.iter().map(&mut number).collect()
    }

    /// The highest number that the key has given, as far as it is saved.
    pub(crate) fn top(state: &KeyState) -> u64 {
        let dead = state.dead.get(&state.epoch).and_then(|dead| dead.last());
        let others = [state.held.last(), state.absent.last(), dead];
        let passed = state.head().saturating_sub(1);
        others.into_iter().flatten().fold(passed, u64::max)
    }
}
