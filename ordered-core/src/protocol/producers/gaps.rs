//! What is done about events of producers that have not come, for each producer by itself.

use super::{Producer, Producers};
use crate::protocol::stamp::slot_of;
use crate::protocol::{ABSENT_RANGES, GapPolicy, Millis, MissingCause, RepairAsked, Stamp};

/// The next events of one producer: they have not come, and something waits that comes after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The place of the producer.
    place: usize,
    /// The first.
    from: u64,
    /// The last.
    to: u64,
    /// Since when something waits for them.
    since: Millis,
}

impl Gap {
    /// The first event.
    pub(crate) fn first(&self) -> u64 {
        self.from
    }

    /// The place of its producer, and the first event, as they are saved.
    fn beginning(&self) -> (u32, u64) {
        (u32::try_from(self.place).unwrap_or(u32::MAX), self.from)
    }
}

impl Producers {
    /// Of the events of a producer up to this one, the first ones that have not come.
    pub(super) fn missing_of(&self, place: usize, to: u64) -> Option<(u64, u64)> {
        let known = &self.known[place];
        let from = known.released + 1;
        // What waits itself has come, and what is absent never comes.
        let waiting = known.waiting.range(from..).next().map(|(seq, _)| *seq);
        let absent = known.absent.at_or_after(from);
        let there = waiting.into_iter().chain(absent).min();
        let to = there.map_or(to, |there| to.min(there - 1));
        (from <= to).then_some((from, to))
    }

    /// The gaps: at most one for each producer. Of the events of a producer that wait, the first one counts.
    pub(super) fn gaps(&self) -> impl Iterator<Item = Gap> {
        let mut gaps: Vec<Option<Gap>> = vec![None; self.known.len()];
        for (own, known) in self.known.iter().enumerate() {
            let Some((seq, event)) = known.waiting.first_key_value() else {
                continue;
            };
            for (place, to) in std::iter::once((own, seq - 1)).chain(event.causes()) {
                let Some((from, to)) = self.missing_of(place, to) else {
                    continue;
                };
                let since = event.since;
                let gap = gaps[place].get_or_insert(Gap {
                    place,
                    from,
                    to,
                    since,
                });
                gap.to = gap.to.min(to);
                gap.since = gap.since.min(since);
            }
        }
        gaps.into_iter().flatten()
    }

    fn asked_for(&self, gap: &Gap) -> Option<RepairAsked> {
        let asked = self.known[gap.place].asked;
        asked.filter(|asked| asked.seq == gap.from)
    }

    fn deadline(&self, gap: &Gap, policy: GapPolicy) -> Option<Millis> {
        let asked = self.asked_for(gap).map(|asked| (asked.at, asked.times));
        policy.deadline(gap.since, asked)
    }

    /// When something is done about the first of the gaps.
    pub(crate) fn gap_deadline(&self, policy: GapPolicy) -> Option<Millis> {
        policy.after()?;
        self.gaps()
            .filter_map(|gap| self.deadline(&gap, policy))
            .min()
    }

    /// The gaps that last too long. One whose events are `here`, in memory, is none; nor is it known of any while
    /// letters are not read.
    pub(crate) fn gaps_over(&self, policy: GapPolicy, now: Millis, here: &[&Stamp]) -> Vec<Gap> {
        if policy.after().is_none() || !self.unread.is_empty() {
            return Vec::new();
        }
        let is_over = |gap: &Gap| {
            let name = self.known[gap.place].name.as_str();
            let is_here = |stamp: &&Stamp| {
                stamp.producer() == name && (gap.from..=gap.to).contains(&stamp.seq())
            };
            let deadline = self.deadline(gap, policy);
            deadline.is_some_and(|deadline| deadline <= now) && !here.iter().any(is_here)
        };
        self.gaps().filter(is_over).collect()
    }

    /// The events of a gap, for people.
    pub(crate) fn events_of(&self, gap: &Gap) -> MissingCause {
        MissingCause {
            producer: self.known[gap.place].name.clone(),
            from: gap.from,
            to: gap.to,
        }
    }

    /// Passes over a gap.
    pub(crate) fn skip(&mut self, gap: &Gap) {
        self.known[gap.place].pass_over(gap.from, gap.to);
    }

    /// Notes that the events of a gap are asked for.
    pub(crate) fn ask(&mut self, gap: &Gap, at: Millis) {
        let times = 1 + self.asked_for(gap).map_or(0, |asked| asked.times);
        self.known[gap.place].asked = Some(RepairAsked {
            seq: gap.from,
            at,
            times,
        });
    }

    /// The gap of a producer that begins with one of these events, and was asked for; of it those of these.
    pub(crate) fn asked_among(&self, producer: &str, (from, to): (u64, u64)) -> Option<Gap> {
        let is_it = |gap: &Gap| {
            let known = &self.known[gap.place];
            known.name == producer && (from..=to).contains(&gap.from)
        };
        let mut gap = self.gaps().find(is_it)?;
        gap.to = gap.to.min(to);
        let is_posted = self.unread.contains(slot_of(producer, gap.from));
        self.asked_for(&gap).filter(|_| !is_posted).map(|_| gap)
    }

    /// Notes which gaps the key is halted for.
    pub(crate) fn halt_for(&mut self, gaps: &[Gap]) {
        self.halted_for = gaps.iter().map(Gap::beginning).collect();
    }

    /// The gaps that the key was halted for, as far as there still are any.
    pub(super) fn halting_gaps(&self) -> impl Iterator<Item = Gap> {
        self.gaps()
            .filter(|gap| self.halted_for.contains(&gap.beginning()))
    }

    /// The last request for what is [missing](Self::missing); of several that which was repeated the least.
    #[must_use]
    pub fn asked_for_missing(&self) -> Option<RepairAsked> {
        let missing = self.missing_gaps();
        let asked = missing.iter().filter_map(|gap| self.asked_for(gap));
        asked.min_by_key(|asked| asked.times)
    }

    /// Since when something waits for what is [missing](Self::missing), or for the last part of it.
    pub(crate) fn missing_since(&self) -> Option<Millis> {
        let missing = self.missing_gaps();
        let since = missing.iter().map(|gap| gap.since).max();
        since.or_else(|| {
            let (place, seq) = self.nearest()?;
            Some(self.known[place].waiting.get(&seq)?.since)
        })
    }

    /// The gaps that the event has which waits for the fewest others.
    fn missing_gaps(&self) -> Vec<Gap> {
        let missing = self.missing();
        let is_named = |gap: &Gap| {
            let name = &self.known[gap.place].name;
            missing.iter().any(|missing| missing.producer == *name)
        };
        self.gaps().filter(is_named).collect()
    }

    /// An operator lets a key go on that was halted before a gap: it is waited for once more, and asked for anew.
    pub(crate) fn wait_anew(&mut self, now: Millis) {
        let gaps: Vec<Gap> = self.gaps().collect();
        for gap in &gaps {
            self.known[gap.place].asked = None;
        }
        self.halted_for.clear();
        let misses = |(own, known): (usize, &Producer)| {
            let (seq, event) = known.waiting.first_key_value()?;
            let mut needed = std::iter::once((own, seq - 1)).chain(event.causes());
            let misses = needed.any(|(place, to)| self.missing_of(place, to).is_some());
            misses.then_some(own)
        };
        let late: Vec<usize> = self.known.iter().enumerate().filter_map(misses).collect();
        for place in late {
            if let Some(mut first) = self.known[place].waiting.first_entry() {
                first.get_mut().since = now;
            }
        }
    }

    /// The store's clock may have stepped back: nothing waits since a time that lies ahead.
    pub(crate) fn cut_times(&mut self, now: Millis) {
        self.change_gap_times(|at| at.min(now));
    }

    /// Changes the times that gaps are measured by.
    pub fn change_gap_times(&mut self, change: impl Fn(Millis) -> Millis) {
        for known in &mut self.known {
            if let Some(mut first) = known.waiting.first_entry() {
                let since = &mut first.get_mut().since;
                *since = change(*since);
            }
            if let Some(asked) = &mut known.asked {
                asked.at = change(asked.at);
            }
        }
    }

    /// Events of a producer will never come. What is `here`, or waits, is handled in its place. `false` when too many
    /// ranges, or producers, are known already.
    pub(crate) fn fill(
        &mut self,
        producer: &str,
        (from, to): (u64, u64),
        here: impl IntoIterator<Item = u64>,
        most: u32,
    ) -> bool {
        let Ok(place) = self.place_of(producer, most) else {
            return false;
        };
        let known = &mut self.known[place];
        let from = from.max(known.released + 1);
        if to < from {
            return true;
        }
        let before = known.absent.clone();
        known.absent.insert_range(from..=to);
        if known.absent.ranges().len() > ABSENT_RANGES.max(before.ranges().len()) {
            known.absent = before;
            return false;
        }
        let waiting = known.waiting.range(from..=to).map(|(seq, _)| *seq);
        for seq in here.into_iter().chain(waiting) {
            known.absent.remove(seq);
        }
        known.advance(known.released);
        true
    }

    /// Events are here after all, although their producers said that they will never come.
    pub(crate) fn arrived<'a>(&mut self, stamps: impl Iterator<Item = &'a Stamp>) {
        let has_absent = |known: &Producer| !known.absent.is_empty();
        if !self.known.iter().any(has_absent) {
            return;
        }
        for stamp in stamps {
            let mut known = self.known.iter_mut();
            if let Some(known) = known.find(|known| known.name == stamp.producer()) {
                known.absent.remove(stamp.seq());
            }
        }
    }
}

impl Producer {
    /// Its events up to this one are not waited for any more, nor are those behind it that never come.
    pub(super) fn advance(&mut self, to: u64) {
        self.released = self.released.max(to);
        while let Some(end) = self.absent.end_of_range(self.released + 1) {
            let from = self.released + 1;
            self.note_skipped(from, end);
            self.released = end;
        }
        self.absent.remove_up_to(self.released);
        let released = self.released;
        self.asked.take_if(|asked| asked.seq <= released);
    }
}
