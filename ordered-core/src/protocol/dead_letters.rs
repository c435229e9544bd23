//! How an event becomes a dead letter of its key, and how it ends being one.

use std::ops::RangeInclusive;

use super::{DeadNote, HeldNote, Transition};
use crate::protocol::DeadCause;
use crate::store::{Change, Letter, PutMode, Slot};

impl Transition<'_> {
    /// Makes a dead letter of an event that is not in the mailbox.
    pub fn put_dead(&mut self, seq: u64, letter: Letter) {
        let slot = self.note_dead(seq);
        let mode = PutMode::Replace;
        self.changes.push(Change::Put { slot, letter, mode });
    }

    /// Makes a dead letter of a held event.
    pub fn move_to_dead(&mut self, seq: u64, note: &DeadNote) {
        self.state.held.remove(seq);
        let to = self.note_dead(seq);
        self.changes.push(Change::Move {
            from: Slot::Held(seq),
            to,
            note: note.encode(),
        });
    }

    /// Makes dead letters of all held events of a range.
    pub(super) fn dead_letter_range(
        &mut self,
        range: RangeInclusive<u64>,
        cause: DeadCause,
    ) -> Vec<u64> {
        let held = self.state.held.iter();
        let seqs: Vec<u64> = held.filter(|seq| range.contains(seq)).collect();
        for seq in &seqs {
            self.dead_letter_one(*seq, cause);
        }
        seqs
    }

    pub(super) fn dead_letter_one(&mut self, seq: u64, cause: DeadCause) {
        let is_head = seq == self.state.head();
        let error = self.state.last_error.as_ref().filter(|_| is_head);
        let note = DeadNote {
            cause,
            error: error.map(|last| last.error.clone()).unwrap_or_default(),
            attempts: if is_head {
                self.state.next_attempt() - 1
            } else {
                0
            },
            at: self.now,
        };
        self.move_to_dead(seq, &note);
    }

    /// Deletes a dead letter.
    pub fn remove_dead(&mut self, epoch: u64, seq: u64) {
        self.forget_dead(epoch, seq);
        self.changes.push(Change::Delete(Slot::Dead { epoch, seq }));
    }

    /// What was discarded ahead of its turn is held again, and runs in its turn.
    pub(super) fn hold_again(&mut self, seq: u64) {
        if self.state.held.contains(seq) {
            // It was posted again meanwhile. The two are compared once the key has passed them.
            return;
        }
        let from = self.state.dead_slot(seq);
        self.forget_dead(self.state.epoch, seq);
        self.state.absent.remove(seq);
        self.state.held.insert(seq);
        let note = HeldNote {
            since: self.now,
            checked: None,
        };
        self.changes.push(Change::Move {
            from,
            to: Slot::Held(seq),
            note: note.encode(),
        });
    }

    pub(super) fn note_dead(&mut self, seq: u64) -> Slot {
        let epoch = self.state.epoch;
        self.state.dead.entry(epoch).or_default().insert(seq);
        Slot::Dead { epoch, seq }
    }

    fn forget_dead(&mut self, epoch: u64, seq: u64) {
        if let Some(seqs) = self.state.dead.get_mut(&epoch) {
            seqs.remove(seq);
            if seqs.is_empty() {
                self.state.dead.remove(&epoch);
            }
        }
    }
}
