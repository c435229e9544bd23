//! What happens to a key where the order comes from the producers: events wait in the mailbox for their numbers, and
//! each producer has gaps of its own.

use super::producers::Beside;
use super::transition::{RepairWanted, Transition};
use super::{Arrival, DeadNote, HeldNote, MissingCause, MostProducers, Phase, Stamp};
use crate::event::EventId;
use crate::protocol::{DeadCause, GapPolicy, Millis};
use crate::store::{Change, Letter, PutMode, Slot};

/// How many events that waited get their number in one save at the most.
const MOST_RELEASED: usize = 1_000;

impl Transition<'_> {
    /// Puts an event into the mailbox that waits for its number. One more producer than a key may have halts the key:
    /// the event is kept all the same, and is read again once the key goes on.
    pub(super) fn wait(&mut self, stamp: &Stamp, letter: Letter, worker: &str) {
        let slot = Slot::Held(stamp.slot());
        let waits = self.wait_in_mailbox(stamp, &letter.id, self.now);
        if let Err(too_many) = waits {
            self.halt_at(&too_many, worker);
            self.state.producers.posted(stamp.slot());
        }
        let mode = PutMode::New;
        self.changes.push(Change::Put { slot, letter, mode });
    }

    /// An event that is in the mailbox waits for its number there.
    pub(super) fn wait_in_mailbox(
        &mut self,
        stamp: &Stamp,
        id: &EventId,
        since: Millis,
    ) -> Result<(), MostProducers> {
        let most = self.policy.max_producers;
        self.state.producers.wait(stamp, id, since, most)
    }

    /// The key stands still until an operator lets it go on with more producers.
    pub(super) fn halt_at(&mut self, too_many: &MostProducers, worker: &str) {
        self.record_error(&too_many.to_string(), worker);
        self.state.phase = Phase::Halted { since: self.now };
        self.state.gap_since = None;
    }

    /// An event with this number is done, or in the mailbox under it: its producer's next one may follow.
    pub(super) fn count(&mut self, stamp: &Stamp, id: &EventId, number: u64) {
        let at = (number, self.state.head());
        self.state.producers.count(stamp, id, at, self.now);
    }

    /// An event that is not in the mailbox comes after events of a later time had their turn.
    pub(super) fn pass_late(&mut self, stamp: &Stamp) {
        let most = self.policy.max_producers;
        self.state.producers.pass_late(stamp, self.now, most);
    }

    /// Gives their numbers to events that wait and may have them, as the order says. `above` is the highest number that
    /// an event in memory has, and `beside` is what is known of those in memory that have none.
    pub(super) fn release(&mut self, above: u64, beside: &Beside) {
        let order = self.policy.order;
        if !order.has_producers() {
            return;
        }
        let mut top = Arrival::top(self.state).max(above);
        let timeouts = self.policy.producer_timeouts(self.now);
        for _ in 0..MOST_RELEASED {
            let producers = &mut self.state.producers;
            self.given_up
                .extend(producers.give_up_silent(beside, timeouts));
            let next = order.next_waiting(&self.state.producers, beside, timeouts);
            let Some(next) = next else { return };
            top += 1;
            let (slot, since) = self.state.producers.release(next, top);
            self.state.held.insert(top);
            let note = HeldNote {
                since,
                checked: None,
            };
            self.changes.push(Change::Move {
                from: Slot::Held(slot),
                to: Slot::Held(top),
                note: note.encode(),
            });
        }
    }

    /// Takes an event out of the mailbox that has no number.
    pub(super) fn remove_waiting(&mut self, slot: u64) {
        self.state.producers.forget_slot(slot);
        self.changes.push(Change::Delete(Slot::Held(slot)));
    }

    /// Makes a dead letter of an event in the mailbox that has no number: it gets one to be known by.
    pub(super) fn dead_letter_waiting(
        &mut self,
        slot: u64,
        above: u64,
        cause: DeadCause,
        error: &str,
    ) {
        self.state.producers.forget_slot(slot);
        let number = Arrival::top(self.state).max(above) + 1;
        let to = self.note_dead(number);
        let note = DeadNote {
            cause,
            error: error.to_owned(),
            attempts: 0,
            at: self.now,
        };
        self.changes.push(Change::Move {
            from: Slot::Held(slot),
            to,
            note: note.encode(),
        });
    }

    /// A producer shows its clock. `false` when the key would have too many producers.
    pub(super) fn show_clock(&mut self, producer: &str, after: u64, time: u64) -> bool {
        let most = self.policy.max_producers;
        let producers = &mut self.state.producers;
        let shown = producers.show(producer, (after, time), self.now, most);
        shown.is_ok()
    }

    /// A producer leaves after its event `after`. `false` when the key would have too many producers.
    pub(super) fn leave(&mut self, producer: &str, after: u64, time: u64) -> bool {
        let most = self.policy.max_producers;
        let left = self.state.producers.leave(producer, (after, time), most);
        left.is_ok()
    }

    /// A producer says that events of its own will never come. What is here all the same is handled in its place.
    /// `false` when too many ranges, or too many producers, are known already.
    pub(super) fn fill_of(
        &mut self,
        producer: &str,
        (from, to): (u64, u64),
        here: impl IntoIterator<Item = u64>,
    ) -> bool {
        let most = self.policy.max_producers;
        self.state.producers.fill(producer, (from, to), here, most)
    }

    /// What the key has asked for of a producer cannot be sent again, for this reason: the key halts, unless the event
    /// is here after all.
    pub(super) fn lose_of(
        &mut self,
        producer: &str,
        range: (u64, u64),
        why: &str,
        here: impl IntoIterator<Item = u64>,
        worker: &str,
    ) {
        let Some(gap) = self.state.producers.asked_among(producer, range) else {
            return;
        };
        let is_here = here.into_iter().any(|seq| seq == gap.first());
        let is_open = self.state.phase == Phase::Open && !self.state.is_head_tried();
        if is_here || !is_open {
            return;
        }
        let producers = &mut self.state.producers;
        producers.halt_for(&[gap]);
        let lost = producers.events_of(&gap);
        self.record_error(&format!("{lost} cannot be sent again: {why}"), worker);
        self.state.phase = Phase::Halted { since: self.now };
        self.state.gap_since = None;
    }

    /// Does what the group says about events of producers that have not come in time, for each producer by itself. What
    /// had come by `told_at` is known, and what is `here`, in memory, is not missing.
    pub(super) fn end_gaps_of_producers(&mut self, worker: &str, told_at: Millis, here: &[&Stamp]) {
        if self.state.is_blocked() {
            return;
        }
        let is_head_tried = self.state.is_head_tried();
        let (on_gap, producers) = (self.policy.on_gap, &mut self.state.producers);
        let over = producers.gaps_over(on_gap, told_at, here);
        if over.is_empty() {
            return;
        }
        match on_gap {
            GapPolicy::Wait => {}
            // First the event at the head succeeds, or halts the key itself.
            GapPolicy::Halt { .. } if is_head_tried => {}
            GapPolicy::Halt { after } => {
                producers.halt_for(&over);
                let missing = over.iter().map(|gap| producers.events_of(gap).to_string());
                let missing = missing.collect::<Vec<_>>().join(", ");
                self.record_error(&format!("still missing after {after:?}: {missing}"), worker);
                self.state.phase = Phase::Halted { since: self.now };
                self.state.gap_since = None;
            }
            GapPolicy::Skip { .. } => {
                over.iter().for_each(|gap| producers.skip(gap));
                self.state.gap_since = None;
                if here.is_empty() {
                    self.release(0, &Beside::default());
                }
            }
            GapPolicy::Repair { .. } => {
                for gap in &over {
                    producers.ask(gap, self.now);
                    let MissingCause { producer, from, to } = producers.events_of(gap);
                    self.repair.push(RepairWanted {
                        producer: Some(producer),
                        from,
                        to,
                    });
                }
            }
        }
    }
}
