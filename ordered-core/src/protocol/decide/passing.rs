use super::Step;
use crate::protocol::{Dead, DeadCause, Passed, Phase};

/// How many ranges of passed seqs are remembered for a key; the oldest are forgotten first.
pub(super) const PASSED_RANGES: usize = 64;

impl Step<'_> {
    /// Moves the key past what will never come, up to what is there or may still come.
    pub(super) fn pass_absent(&mut self) {
        let head = self.key.head();
        if self.key.pending_id(head).is_none() {
            let next = self.key.following(self.key.last_seq);
            if next > head {
                self.pass(next - 1);
            }
        }
        let last_seq = self.key.last_seq;
        self.key.absent.retain(|_, end| *end > last_seq);
    }

    /// Moves the key to `to` without a commit. None of it is held.
    pub(super) fn pass(&mut self, to: u64) {
        let from = self.key.head();
        let until = self.remembered_until();
        if self.key.passed.len() >= PASSED_RANGES {
            self.key.passed.remove(0);
        }
        self.key.passed.push(Passed { from, to, until });
        self.key.last_seq = to;
        self.key.attempts = 0;
        self.key.trouble = None;
        self.key.phase = Phase::Open;
    }

    /// Puts the held events up to `to` aside.
    pub(super) fn bury(&mut self, to: u64, cause: DeadCause) -> Vec<u64> {
        let seqs: Vec<u64> = self.key.held.range(..=to).map(|(seq, _)| *seq).collect();
        for seq in &seqs {
            self.bury_one(*seq, cause);
        }
        seqs
    }

    pub(super) fn bury_one(&mut self, seq: u64, cause: DeadCause) {
        let Some(held) = self.drop_held(seq) else {
            return;
        };
        let (head, now) = (self.key.head(), self.at.now);
        let trouble = self.key.trouble.as_ref().filter(|_| seq == head);
        let dead = Dead {
            id: held.id,
            envelope: held.envelope,
            cause,
            error: trouble
                .map(|trouble| trouble.error.clone())
                .unwrap_or_default(),
            attempts: if seq == head { self.key.attempts } else { 0 },
            at: now,
            replay: false,
        };
        self.key.dead.insert((self.key.epoch, seq), dead);
    }

    /// Notes since when the key waits for an event that has not come; a key that moved waits anew.
    pub(super) fn watch_gap(&mut self, last_seq_before: u64) {
        let key = &mut *self.key;
        let waits = key.claim.is_none()
            && key.phase != Phase::Halted
            && !key.held.is_empty()
            && !key.held.contains_key(&key.head());
        key.gap_since = match key.gap_since {
            Some(since) if waits && key.last_seq == last_seq_before => Some(since),
            _ => waits.then_some(self.at.now),
        };
    }
}
