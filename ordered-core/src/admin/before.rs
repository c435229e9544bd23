use serde::{Deserialize, Serialize};

use super::{Admin, unreadable};
use crate::event::{Key, Seq};
use crate::protocol::{KeyState, Millis};
use crate::store::{Group, StoreError};

/// What stands before an event of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsBefore {
    /// The event.
    pub seq: u64,
    /// Where it is.
    pub status: EventStatus,
    /// The last seq of the key that is done, or was passed over.
    pub last_seq: u64,
    /// How many events come before it that are not done; what will never come is not among them.
    pub events: u64,
    /// How many of them are held.
    pub held: u64,
    /// The others, which have not come: at most [`EventsBefore::MAX_RANGES`] ranges.
    pub missing: Vec<(u64, u64)>,
    /// How many these are.
    pub missing_events: u64,
    /// How fast the key went.
    pub pace: Option<Pace>,
    /// The time of the store when it was asked.
    pub now: Millis,
}

/// Where an event of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// The key is past it: it was handled, or passed over.
    Behind,
    /// It is a dead letter of the store.
    Dead,
    /// It is held, and waits for its turn.
    Held,
    /// It has not come, or a worker has it in memory.
    NotHeld,
    /// It is known that it will never come.
    Absent,
}

/// How many events of a key were done in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// So many.
    pub events: u64,
    /// In so many milliseconds.
    pub millis: u64,
}

impl EventsBefore {
    /// How many ranges of missing events are listed at the most.
    pub const MAX_RANGES: usize = 100;
}

impl Pace {
    /// How long so many events take at this pace, in milliseconds.
    #[must_use]
    pub fn time_for(self, events: u64) -> u64 {
        let millis = u128::from(events) * u128::from(self.millis) / u128::from(self.events.max(1));
        u64::try_from(millis).unwrap_or(u64::MAX)
    }
}

impl Admin {
    /// What stands before an event; `None` when nothing is known of the key. The pace is that since the key began to
    /// commit without a longer pause, as far as it is noted: to the nearest part of `dedup_ttl`.
    ///
    /// # Errors
    /// When the store is unavailable, or the state of the key cannot be read.
    pub async fn before(
        &self,
        group: &Group,
        key: &Key,
        seq: Seq,
    ) -> Result<Option<EventsBefore>, StoreError> {
        let Some(record) = self.store.read(group, key).await? else {
            return Ok(None);
        };
        let state = super::state_of(group, &record).map_err(|error| unreadable(key, &error))?;
        let mut before = before(&state, seq.get(), record.now);
        if !group.policy().order.waits_for_missing() {
            (before.missing, before.missing_events) = (Vec::new(), 0);
        }
        Ok(Some(before))
    }
}

fn before(state: &KeyState, seq: u64, now: Millis) -> EventsBefore {
    let status = if state.is_dead(seq) {
        EventStatus::Dead
    } else if state.is_past(seq) {
        EventStatus::Behind
    } else if state.held.contains(seq) {
        EventStatus::Held
    } else if state.absent.contains(seq) {
        EventStatus::Absent
    } else {
        EventStatus::NotHeld
    };
    let mut before = EventsBefore {
        seq,
        status,
        last_seq: state.head().saturating_sub(1),
        events: 0,
        held: 0,
        missing: Vec::new(),
        missing_events: 0,
        pace: pace(state, now),
        now,
    };
    if status == EventStatus::Behind || seq <= state.head() {
        return before;
    }
    let (head, end) = (state.head(), seq - 1);
    let within = |ranges: &[(u64, u64)]| {
        let cut = ranges
            .iter()
            .map(|(from, to)| (*from.max(&head), *to.min(&end)));
        cut.filter(|(from, to)| from <= to).collect::<Vec<_>>()
    };
    let held = within(state.held.ranges());
    let mut known = [&held[..], &within(state.absent.ranges())].concat();
    known.sort_unstable();
    let mut next = head;
    for (from, to) in known.into_iter().chain([(seq, seq)]) {
        if next < from {
            before.missing_events += from - next;
            before.missing.push((next, from - 1));
        }
        next = next.max(to + 1);
    }
    before.missing.truncate(EventsBefore::MAX_RANGES);
    before.held = held.iter().map(|(from, to)| to - from + 1).sum();
    before.events = before.held + before.missing_events;
    before
}

fn pace(state: &KeyState, now: Millis) -> Option<Pace> {
    let anchor = state.anchors.last()?;
    let pace = Pace {
        events: state.last_seq.wrapping_sub(anchor.seq),
        millis: now.saturating_sub(anchor.at),
    };
    (pace.events > 0 && pace.millis > 0).then_some(pace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Anchor;

    fn state() -> KeyState {
        let mut state = KeyState::new(1);
        state.last_seq = 41;
        for seq in [43, 44, 50] {
            state.held.insert(seq);
        }
        state.absent.insert_range(45..=47);
        state
    }

    #[test]
    fn what_stands_before_an_event_is_counted() {
        let found = before(&state(), 51, 0);
        assert_eq!(found.status, EventStatus::NotHeld);
        assert_eq!((found.events, found.held, found.missing_events), (6, 3, 3));
        assert_eq!(found.missing, [(42, 42), (48, 49)]);
        for (seq, status, events) in [
            (3, EventStatus::Behind, 0),
            (42, EventStatus::NotHeld, 0),
            (43, EventStatus::Held, 1),
            (46, EventStatus::Absent, 3),
            (50, EventStatus::Held, 5),
        ] {
            let found = before(&state(), seq, 0);
            assert_eq!((found.status, found.events), (status, events), "{seq}");
        }
    }

    #[test]
    fn a_long_way_costs_nothing() {
        let found = before(&state(), (1 << 53) - 1, 0);
        assert_eq!(found.missing.last(), Some(&(51, (1 << 53) - 2)));
    }

    #[test]
    fn the_pace_is_that_since_the_last_note() {
        let mut state = state();
        assert_eq!(before(&state, 50, 9_000).pace, None);
        state.anchors = vec![Anchor { seq: 1, at: 0 }, Anchor { seq: 21, at: 4_000 }];
        let pace = before(&state, 50, 9_000).pace.unwrap();
        assert_eq!((pace.events, pace.millis), (20, 5_000));
        assert_eq!(pace.time_for(8), 2_000);
    }
}
