use super::Step;
use crate::protocol::{DeadCause, Phase, QuotaLimit, Verdict};

/// How many ranges of absent seqs are noted for a key.
const ABSENT_RANGES: usize = 1_000;

impl Step<'_> {
    /// A producer says that a range will never come. What is there all the same is handled in its place; ranges that say
    /// it twice are one.
    pub(super) fn fill(&mut self, from: u64, to: u64) -> Verdict {
        let from = from.max(self.key.head());
        if to >= from {
            if self.key.absent.len() >= ABSENT_RANGES && !self.key.is_absent(from, to) {
                return Verdict::HoldFull(QuotaLimit::KeyEvents);
            }
            self.note_absent(from, to);
            self.pass_absent();
        }
        Verdict::Noted
    }

    /// Notes a range, made one with those that it touches.
    pub(super) fn note_absent(&mut self, mut from: u64, mut to: u64) {
        let absent = &mut self.key.absent;
        while let Some((start, end)) = absent
            .range(..=to + 1)
            .next_back()
            .map(|(start, end)| (*start, *end))
            && end + 1 >= from
        {
            absent.remove(&start);
            from = from.min(start);
            to = to.max(end);
        }
        absent.insert(from, to);
    }

    /// A producer begins again at `at`. Upwards that says that nothing below will come; with the number of a new numbering
    /// it is a new beginning wherever the key stands, and what waits of the old one is put aside.
    pub(super) fn reset(&mut self, at: u64, epoch: Option<u64>) -> Verdict {
        match epoch {
            None if at > 1 => return self.fill(1, at - 1),
            Some(epoch) if epoch > self.key.epoch => {
                self.seize();
                self.bury(u64::MAX, DeadCause::Superseded);
                self.begin_again(at - 1, epoch);
            }
            _ => {}
        }
        Verdict::Noted
    }

    /// A new numbering: nothing of the old one counts, but for the ids.
    pub(super) fn begin_again(&mut self, last_seq: u64, epoch: u64) {
        let key = &mut *self.key;
        key.epoch = epoch;
        key.last_seq = last_seq;
        key.attempts = 0;
        key.phase = Phase::Open;
        key.trouble = None;
        key.absent.clear();
        key.passed.clear();
        key.done.clear();
    }
}
