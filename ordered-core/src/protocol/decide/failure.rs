use std::time::Duration;

use super::{Step, millis};
use crate::event::Envelope;
use crate::protocol::{Attempt, Dead, DeadCause, Grant, Phase, Trouble, Verdict, WorkerId};

impl Step<'_> {
    pub(super) fn retry(&mut self, attempt: &Attempt) -> Verdict {
        if !self.owns_front(&attempt.event, attempt.fence) {
            return Verdict::Fenced;
        }
        let seq = attempt.event.seq.get();
        if attempt.number >= *self.attempts(seq) {
            self.blame_front(attempt);
            *self.attempts(seq) = attempt.number + 1;
        }
        Verdict::Run(Grant {
            fence: attempt.fence,
            front: seq,
            attempt: *self.attempts(seq),
            repeat: false,
        })
    }

    pub(super) fn postpone(
        &mut self,
        attempt: &Attempt,
        envelope: &Envelope,
        delay: Duration,
    ) -> Verdict {
        if self.owns_front(&attempt.event, attempt.fence) {
            let until = self.at.now.saturating_add(millis(delay));
            self.set_aside(attempt, envelope);
            self.key.phase = Phase::BackingOff { until };
        }
        match self.key.phase {
            Phase::BackingOff { until } if self.gave_up(attempt) => Verdict::Postponed { until },
            _ => Verdict::Fenced,
        }
    }

    pub(super) fn halt(&mut self, attempt: &Attempt, envelope: &Envelope) -> Verdict {
        let seq = attempt.event.seq.get();
        if self.owns_front(&attempt.event, attempt.fence) {
            self.set_aside(attempt, envelope);
            if seq > self.key.last_seq {
                self.key.phase = Phase::Halted;
            } else {
                self.put_back(seq, &attempt.error);
            }
        }
        let stopped = self.key.phase == Phase::Halted || seq <= self.key.last_seq;
        if stopped && self.gave_up(attempt) {
            Verdict::Halted
        } else {
            Verdict::Fenced
        }
    }

    pub(super) fn dead_letter(
        &mut self,
        attempt: &Attempt,
        envelope: &Envelope,
        have: u64,
    ) -> Verdict {
        let seq = attempt.event.seq.get();
        if !self.owns_front(&attempt.event, attempt.fence) {
            return self.commit(&attempt.event, attempt.fence, have);
        }
        if seq > self.key.last_seq {
            self.drop_held(seq);
            let dead = Dead {
                id: attempt.event.id.clone(),
                envelope: envelope.clone(),
                cause: DeadCause::Failed,
                error: attempt.error.clone(),
                attempts: attempt.number,
                at: self.at.now,
                replay: false,
            };
            self.key.dead.insert((self.key.epoch, seq), dead);
            self.key.last_seq = seq;
            self.key.trouble = None;
            self.key.attempts = 0;
            self.remember(&attempt.event);
        } else {
            self.put_back(seq, &attempt.error);
        }
        self.go_on(attempt.fence, have)
    }

    /// The failed event stays at the head, kept by the store whatever the quota says, and the claim ends. One that was
    /// replayed is in the store already.
    fn set_aside(&mut self, attempt: &Attempt, envelope: &Envelope) {
        let seq = attempt.event.seq.get();
        self.blame_front(attempt);
        if seq > self.key.last_seq && !self.key.held.contains_key(&seq) {
            self.keep(&attempt.event, envelope);
        }
        *self.attempts(seq) = attempt.number;
        self.end_claim();
    }

    /// Whether it is so already, and the store has the event.
    fn gave_up(&self, attempt: &Attempt) -> bool {
        let (seq, id) = (attempt.event.seq.get(), &attempt.event.id);
        let kept = if seq > self.key.last_seq {
            seq == self.key.head() && self.key.pending_id(seq) == Some(id)
        } else {
            self.key
                .dead_at(seq)
                .is_some_and(|(_, dead)| dead.id == *id)
        };
        kept && attempt.fence == self.key.fence && self.key.claim.is_none()
    }

    /// What was replayed is put aside again.
    pub(super) fn put_back(&mut self, seq: u64, error: &str) {
        let now = self.at.now;
        if let Some(dead) = self.key.dead.get_mut(&(self.key.epoch, seq)) {
            error.clone_into(&mut dead.error);
            dead.at = now;
            dead.replay = false;
        }
    }

    fn blame_front(&mut self, attempt: &Attempt) {
        let seq = attempt.event.seq.get();
        if seq > self.key.last_seq {
            self.blame(&attempt.error);
        } else if let Some(dead) = self.key.dead.get_mut(&(self.key.epoch, seq)) {
            dead.error.clone_from(&attempt.error);
            dead.at = self.at.now;
        }
    }

    /// Writes down what went wrong with the event at the head.
    pub(super) fn blame(&mut self, error: &str) {
        self.blame_on(error, self.at.worker.clone());
    }

    /// The same, where it went wrong on another worker.
    pub(super) fn blame_on(&mut self, error: &str, worker: WorkerId) {
        let now = self.at.now;
        let first_at = self
            .key
            .trouble
            .as_ref()
            .map_or(now, |trouble| trouble.first_at);
        self.key.trouble = Some(Trouble {
            error: error.to_owned(),
            first_at,
            last_at: now,
            worker,
        });
    }
}
