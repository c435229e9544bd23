//! Events of producers that have not come.

use std::fmt;

use super::{Producer, Producers};
use crate::protocol::SKIPPED_RANGES;

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
    /// Of the events that wait, the one that waits for the fewest others: its producer's place and its seq. One that
    /// waits for what waits itself comes after those that do not; there are only such where clocks make a circle.
    pub(super) fn nearest(&self) -> Option<(usize, u64)> {
        let first = self.known.iter().enumerate().filter_map(|(place, known)| {
            let (seq, event) = known.waiting.first_key_value()?;
            let own = (place, seq - 1);
            let (mut missing, mut waits_for_waiting) = (0_u64, false);
            for (place, count) in std::iter::once(own).chain(event.causes()) {
                let cause = &self.known[place];
                missing = missing.saturating_add(count.saturating_sub(cause.released));
                let first = cause.waiting.keys().next();
                waits_for_waiting |= first.is_some_and(|seq| *seq <= count);
            }
            if missing == 0 && event.time.is_some() {
                // It waits for producers, and not for events.
                return None;
            }
            Some((waits_for_waiting, missing, &known.name, place, *seq))
        });
        first.min().map(|(.., place, seq)| (place, seq))
    }

    /// What has not come and is waited for: what the key was halted for, otherwise that without which the event that
    /// waits for the fewest others cannot run.
    #[must_use]
    pub fn missing(&self) -> Vec<MissingCause> {
        let mut missing: Vec<MissingCause> = match self.nearest() {
            Some(nearest) if self.halting_gaps().next().is_none() => self.missing_for(nearest),
            _ => self
                .halting_gaps()
                .map(|gap| self.events_of(&gap))
                .collect(),
        };
        missing.sort_unstable();
        missing
    }

    /// What an event that waits needs, and has not come.
    fn missing_for(&self, (place, seq): (usize, u64)) -> Vec<MissingCause> {
        let causes = self.known[place].waiting[&seq].causes();
        let needed = std::iter::once((place, seq - 1)).chain(causes);
        let missing = needed.filter_map(|(place, to)| {
            let (from, to) = self.missing_of(place, to)?;
            let producer = self.known[place].name.clone();
            Some(MissingCause { producer, from, to })
        });
        missing.collect()
    }

    /// Passes over what is [missing](Self::missing). Says whether anything was.
    pub(crate) fn skip_missing(&mut self) -> bool {
        let missing = self.missing();
        for MissingCause { producer, from, to } in &missing {
            let known = self.known.iter_mut().find(|known| known.name == *producer);
            let Some(known) = known else { continue };
            known.pass_over(*from, *to);
        }
        if !missing.is_empty() {
            return true;
        }
        // Clocks that make a circle wait for each other: nothing is missing, and nothing could run.
        let nearest = self.nearest();
        let event = nearest.and_then(|(place, seq)| self.known[place].waiting.get_mut(&seq));
        event.map(|event| event.after.clear()).is_some()
    }
}

impl Producer {
    /// Its events of this range are not waited for, and late if they come.
    pub(super) fn pass_over(&mut self, from: u64, to: u64) {
        self.note_skipped(from, to);
        self.advance(to);
    }

    pub(super) fn note_skipped(&mut self, from: u64, to: u64) {
        self.skipped.insert_range(from..=to);
        while self.skipped.ranges().len() > SKIPPED_RANGES
            && let Some((_, last)) = self.skipped.ranges().first().copied()
        {
            self.skipped.remove_up_to(last);
        }
    }
}
