use std::collections::BTreeMap;

use super::super::producers::{Beside, Timeouts};
use super::super::{Producer, Producers};

/// Events have the time of a Lamport clock, and run in the order of (time, producer), which is one for all. An event
/// runs once it is *stable*: when nothing can come any more that belongs before it.
///
/// The order is that of L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System" (1978); the
/// release when stable that of F. Schneider, "Implementing Fault-Tolerant Services Using the State Machine Approach: A
/// Tutorial" (1990).
///
/// The rule: *of the events that are their producer's next, the one with the smallest (time, producer) is next, if
/// every other producer of the key that is active has its own next event here, or has shown a clock beyond it.* The
/// events of a producer are numbered 1, 2, 3, … for each key, and their times grow, so that its next event says that
/// nothing of it belongs before that.
///
/// - A producer *joins* with its first event or the first clock that it shows, and is waited for from then on.
/// - It *shows its clock* with each event, and with control messages while it has nothing to send.
/// - It *leaves* with a control message, or when an event has waited for it as long as its lease is, and nothing was
///   heard of it meanwhile. It is there again when it is heard of again.
/// - An event at or before the last one that was released is *late*: it is not run, since that would be another order.
///   It comes from a producer that joined with too small a clock, or was not waited for any more.
/// - `max_delay` is how long an event waits at the most. It is a guess: what comes later than that is late.
///
/// What it does not promise: that an event with a larger time was caused by one with a smaller. And nothing of a key
/// runs while one of its producers says nothing, until it is given up.
#[derive(Debug)]
pub struct Lamport;

impl Lamport {
    /// Of the events that are their producers' next the one that runs next: `clocks` are those of the producers that
    /// are waited for, and `last` is the last event that was released.
    pub(crate) fn next<'a, P>(
        mut heads: BTreeMap<(u64, &'a str), P>,
        mut clocks: impl Iterator<Item = (&'a str, u64)>,
        last: Option<(u64, &str)>,
    ) -> Option<P> {
        let ((time, producer), next) = heads.pop_first()?;
        let is_late = last.is_some_and(|last| last >= (time, producer));
        // What it sends after its own next event comes after this one, too.
        let has_head = |other: &str| heads.keys().any(|(_, producer)| *producer == other);
        let holds = |(other, clock): (&'a str, u64)| {
            other != producer && !has_head(other) && Self::holds((other, clock), (time, producer))
        };
        let is_next = !is_late && !clocks.any(holds);
        is_next.then_some(next)
    }

    /// Whether a producer whose clock is at `clock` may still send an event that comes before this one.
    pub(crate) fn holds((other, clock): (&str, u64), event: (u64, &str)) -> bool {
        (clock.saturating_add(1), other) < event
    }

    /// The event that waits in the mailbox and is next. `beside` is what waits elsewhere.
    pub(crate) fn next_waiting(
        producers: &Producers,
        beside: &Beside,
        timeouts: Timeouts,
    ) -> Option<(usize, u64)> {
        let elsewhere = beside.heads.iter();
        let elsewhere = elsewhere.map(|(time, producer)| ((*time, &**producer), None));
        let mut heads: BTreeMap<(u64, &str), Option<(usize, u64)>> = elsewhere.collect();
        for (time, producer, place) in producers.timed_heads(&Producer::released) {
            heads.insert((time, producer), Some(place));
        }
        let is_overdue = producers.is_overdue(timeouts);
        let clocks = producers.clocks(Producer::progress);
        Self::next(heads, clocks.filter(|_| !is_overdue), producers.last())?
    }
}
