//! What is done about events that have not come: what their producer says of them, and what the group does when they
//! are missing for too long.

use std::ops::RangeInclusive;

use super::state::before;
use super::transition::{RepairWanted, Transition};
use super::{Phase, RepairAsked};
use crate::protocol::{DeadCause, GapPolicy};

/// How many ranges of absent seqs are noted for a key.
pub const ABSENT_RANGES: usize = 1_000;

impl Transition<'_> {
    /// A producer says that a range will never come. What is here all the same is handled in its place. `false` when
    /// too many ranges are noted already.
    pub fn fill(&mut self, from: u64, to: u64, here: impl IntoIterator<Item = u64>) -> bool {
        let from = from.max(self.state.head());
        if to < from {
            return true;
        }
        let before = self.state.absent.clone();
        self.state.absent.insert_range(from..=to);
        if self.state.absent.ranges().len() > ABSENT_RANGES.max(before.ranges().len()) {
            self.state.absent = before;
            return false;
        }
        let held: Vec<u64> = self
            .state
            .held
            .iter()
            .filter(|seq| (from..=to).contains(seq))
            .collect();
        for seq in here.into_iter().chain(held) {
            // What was discarded is passed, even if it came again.
            if !self.state.is_dead(seq) {
                self.state.absent.remove(seq);
            }
        }
        self.pass_absent();
        true
    }

    /// What the key has asked for cannot be sent again, for this reason: the key halts, unless the event is here after
    /// all.
    pub fn lose(
        &mut self,
        range: RangeInclusive<u64>,
        why: &str,
        here: impl IntoIterator<Item = u64>,
        worker: &str,
    ) {
        let head = self.state.head();
        let is_here = self.state.held.contains(head) || here.into_iter().any(|seq| seq == head);
        let waits = self.state.asked_for_head().is_some() && self.state.phase == Phase::Open;
        if !range.contains(&head) || is_here || !waits {
            return;
        }
        self.record_error(why, worker);
        self.state.phase = Phase::Halted { since: self.now };
        self.state.gap_since = None;
        // Who lets the key go on wants it to be asked for anew.
        self.state.repair = None;
    }

    /// A producer begins again at `at`. Upwards that says that nothing below will come; with the number of a new epoch
    /// it is a new beginning wherever the key stands, and what is held of the old one becomes dead letters.
    pub fn reset(
        &mut self,
        at: u64,
        epoch: Option<u64>,
        here: impl IntoIterator<Item = u64>,
    ) -> bool {
        match epoch {
            None if at > 0 => return self.fill(0, at - 1, here),
            Some(epoch) if epoch > self.state.epoch => {
                self.dead_letter_range(0..=u64::MAX, DeadCause::Superseded);
                self.begin_again(before(at), epoch);
            }
            _ => {}
        }
        true
    }

    /// Notes since when the key waits for an event that has not come. `runs` says that the owner has the event at the
    /// head, or something else to run.
    pub fn watch_gap(&mut self, runs: bool) {
        let order = self.policy.order;
        let state = &mut *self.state;
        if !order.waits_for_missing() {
            // What is saved has its head where something waits, as if the numbers had no gaps.
            state.producers.cut_times(self.now);
            let first = state.held.at_or_after(state.head()).filter(|_| !runs);
            if let Some(first) = first {
                state.raise_head(first);
            }
            let waits = order.has_gaps()
                && !runs
                && first.is_none()
                && !matches!(state.phase, Phase::Halted { .. })
                && state.producers.waiting_events() > 0;
            // What else has run meanwhile does not matter to what waits for an event of a producer.
            let since = waits.then(|| state.producers.missing_since().or(state.gap_since));
            // The store's clock may have stepped back.
            state.gap_since = since.map(|since| since.map_or(self.now, |at| at.min(self.now)));
            return;
        }
        let waits = !runs
            && !matches!(state.phase, Phase::Halted { .. })
            && state
                .held
                .at_or_after(state.head())
                .is_some_and(|first| first > state.head());
        state.gap_since = match state.gap_since {
            // The store's clock stepped back.
            Some(since) if waits => Some(since.min(self.now)),
            _ => waits.then_some(self.now),
        };
        // The store's clock stepped back, or the event has come.
        state.repair = state.asked_for_head();
        if let Some(asked) = &mut state.repair {
            asked.at = asked.at.min(self.now);
        }
    }

    /// Does what the group says about a gap that has lasted for as long as the group waits. A key that is paused stays
    /// where it is.
    pub fn end_gap_if_over(&mut self, worker: &str) {
        self.end_gap(worker, true);
    }

    /// The same for an operator, who asks nobody for what is missing: that is left to the next worker.
    pub fn end_gap_as_operator(&mut self) {
        self.end_gap("operator", false);
    }

    fn end_gap(&mut self, worker: &str, asks: bool) {
        if self.state.paused.is_on() {
            return;
        }
        if self.policy.order.has_producers() {
            // An operator: a worker does it itself, because it knows what it has in memory.
            if !matches!(self.policy.on_gap, GapPolicy::Repair { .. }) {
                self.end_gaps_of_producers(worker, self.now, &[]);
            }
            return;
        }
        let is_over = self.is_gap_over();
        let head = self.state.head();
        let Some(first) = self
            .state
            .held
            .at_or_after(head)
            .filter(|first| *first > head && is_over)
        else {
            return;
        };
        if self.state.settle(self.policy).is_some() {
            // Nothing is skipped: what lies below was before the group.
            self.move_head(first - 1);
            self.pass_absent();
            return;
        }
        match self.policy.on_gap {
            GapPolicy::Wait => {}
            GapPolicy::Halt { after } => {
                self.record_error(&format!("seq {head} has not come for {after:?}"), worker);
                self.state.phase = Phase::Halted { since: self.now };
                self.state.gap_since = None;
            }
            GapPolicy::Skip { .. } => {
                self.skip_to(first - 1);
                self.pass_absent();
            }
            GapPolicy::Repair { .. } if !asks => {}
            GapPolicy::Repair { .. } => {
                let before = self.state.asked_for_head();
                self.state.repair = Some(RepairAsked {
                    seq: head,
                    at: self.now,
                    times: 1 + before.map_or(0, |asked| asked.times),
                });
                self.repair.push(RepairWanted {
                    producer: None,
                    from: head,
                    to: first - 1,
                });
            }
        }
    }

    /// Whether a gap has lasted for as long as the group waits.
    pub(super) fn is_gap_over(&self) -> bool {
        let deadline = self.state.gap_deadline(self.policy);
        deadline.is_some_and(|deadline| deadline <= self.now)
    }

    /// Moves the key past what will never come.
    pub fn pass_absent(&mut self) {
        if let Some(end) = self.state.absent.end_of_range(self.state.head()) {
            self.skip_to(end);
        }
        self.state.forget_passed_absent();
    }
}
