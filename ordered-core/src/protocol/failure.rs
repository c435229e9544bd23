use std::time::Duration;

use super::order::POSTED;
use super::state::{SUSPECT_AFTER, millis};
use super::transition::{Subject, Transition};
use super::{DeadNote, HeldNote, KeyState, Phase};
use crate::event::Envelope;
use crate::protocol::DeadCause;
use crate::store::{Change, PutMode, Slot};

/// A run that failed.
#[derive(Debug, Clone, Copy)]
pub struct FailedRun<'a> {
    /// The event that it ran, alone.
    pub event: Subject<'a>,
    /// The event itself.
    pub envelope: &'a Envelope,
    /// Which attempt it was.
    pub attempt: u32,
    /// What it said.
    pub error: &'a str,
    /// The worker that ran it.
    pub worker: &'a str,
}

impl Transition<'_> {
    /// Whether the event has no attempt left after this one.
    #[must_use]
    pub fn is_last_attempt(&self, event: Subject<'_>) -> bool {
        if event.replay {
            let failed = self.state.replays.get(&event.seq).copied().unwrap_or(0);
            return failed + 1 >= self.policy.replay_attempts();
        }
        let failed = self.state.attempts;
        let too_often = self
            .policy
            .max_attempts
            .is_some_and(|most| failed + 1 >= most);
        too_often || failed > 0 && self.is_given_up()
    }

    /// Whether the first failure of the event at the head is so long ago that it is not tried again.
    fn is_given_up(&self) -> bool {
        match (self.policy.give_up_after, &self.state.last_error) {
            (Some(after), Some(error)) => error.first_at.saturating_add(millis(after)) <= self.now,
            _ => false,
        }
    }

    /// The run failed and will be repeated; the owner waits itself.
    pub fn retry(&mut self, run: FailedRun<'_>) {
        if run.event.replay {
            *self.state.replays.entry(run.event.seq).or_default() += 1;
            self.acquit();
        } else {
            if self.state.attempts == 0 {
                // The time to give up counts from the first failure, not from a death before it.
                self.state.last_error = None;
            }
            self.state.attempts += 1;
            self.acquit();
            self.record_error(run.error, run.worker);
        }
    }

    /// What runs first of the key came to an end: it is no suspect.
    pub(super) fn acquit(&mut self) {
        self.state.unfinished = 0;
        self.state.on_trial = false;
    }

    /// The run failed and will be repeated after a wait, by whoever is there then. The event is kept in the mailbox.
    pub fn postpone(&mut self, run: FailedRun<'_>, wait: Duration) {
        self.retry(run);
        self.back_off(wait);
        self.keep(run);
    }

    /// As [`Transition::postpone`], of a failure that was saved before.
    pub fn postpone_again(&mut self, run: FailedRun<'_>, wait: Duration) {
        self.back_off(wait);
        self.keep(run);
    }

    fn back_off(&mut self, wait: Duration) {
        let wait = millis(wait);
        self.state.phase = Phase::BackingOff {
            until: self.now.saturating_add(wait),
            wait,
        };
    }

    /// The run failed permanently: the key is halted at the event, which is kept. A replay is a dead letter again.
    pub fn halt(&mut self, run: FailedRun<'_>) {
        if run.event.replay {
            return self.put_back(run);
        }
        self.retry(run);
        self.state.phase = Phase::Halted { since: self.now };
        self.keep(run);
    }

    /// The run failed permanently: the event becomes a dead letter, and the key goes on.
    pub fn dead_letter(&mut self, run: FailedRun<'_>) {
        if run.event.replay {
            return self.put_back(run);
        }
        let Subject {
            seq, id, stored, ..
        } = run.event;
        let note = self.failed_note(run);
        self.remember.push(id.clone());
        if stored {
            self.move_to_dead(seq, &note);
        } else {
            self.put_dead(seq, note.letter(id, run.envelope));
        }
        self.move_head(seq);
        self.pass_absent();
    }

    /// A delivery that cannot be dead-lettered at the broker, because it was acknowledged when it was held.
    pub fn dead_letter_held(&mut self, seq: u64, cause: DeadCause, error: &str) {
        let note = DeadNote {
            cause,
            error: error.to_owned(),
            attempts: 0,
            at: self.now,
        };
        self.move_to_dead(seq, &note);
    }

    fn failed_note(&self, run: FailedRun<'_>) -> DeadNote {
        DeadNote {
            cause: DeadCause::Failed,
            error: run.error.to_owned(),
            attempts: run.attempt,
            at: self.now,
        }
    }

    /// What was replayed is a dead letter again, with the new error.
    fn put_back(&mut self, run: FailedRun<'_>) {
        let Subject { seq, id, .. } = run.event;
        self.state.replays.remove(&seq);
        self.acquit();
        if matches!(self.state.phase, Phase::BackingOff { .. }) {
            self.state.phase = Phase::Open;
        }
        let letter = self.failed_note(run).letter(id, run.envelope);
        self.put_dead(seq, letter);
    }

    /// Keeps the event in the mailbox, whatever the quotas say: it is what lets the others go.
    fn keep(&mut self, run: FailedRun<'_>) {
        let Subject {
            seq,
            id,
            stored,
            replay,
        } = run.event;
        if !stored && !replay {
            let letter = HeldNote {
                since: self.now,
                checked: None,
            }
            .letter(id, run.envelope);
            self.hold(seq, letter, PutMode::Force);
        }
    }

    /// The owner died with the key. What it ran alone on trial is to blame; otherwise anything that it ran may be. A
    /// replay that was to blame too often is a dead letter again, as it was.
    pub fn owner_died(&mut self, worker: &str) {
        let error = format!("worker {worker} died while it owned the key");
        if !self.state.on_trial {
            self.state.unfinished = self.state.unfinished.saturating_add(1);
            if self.state.unfinished >= SUSPECT_AFTER {
                self.record_error(&error, worker);
            }
            return;
        }
        self.state.on_trial = false;
        if let Some(mut replay) = self.state.replays.first_entry() {
            *replay.get_mut() += 1;
            if *replay.get() >= self.policy.replay_attempts() {
                replay.remove();
                self.state.unfinished = 0;
            }
            return;
        }
        self.state.crashes += 1;
        let error = format!("worker {worker} died while it ran this event alone");
        self.record_error(&error, worker);
        if self.state.crashes >= self.policy.max_crashes {
            self.state.phase = Phase::Halted { since: self.now };
        }
    }

    /// A suspect, the first replay or else the event at the head, runs next, alone.
    pub fn begin_trial(&mut self) {
        self.state.on_trial = true;
        self.state.tried_at = self.now;
    }

    /// A trial that was not begun after all.
    pub fn cancel_trial(&mut self) {
        self.state.on_trial = false;
    }

    /// Ends a pause and a backoff that are over. Where the store's clock stepped back, it is cut to its own length from
    /// now.
    pub fn wake(&mut self) {
        self.end_pause_if_over();
        if let Phase::BackingOff { until, wait } = &mut self.state.phase {
            *until = (*until).min(self.now.saturating_add(*wait));
            if *until <= self.now {
                self.state.phase = Phase::Open;
            }
        }
    }

    /// The store has no event where the state says that one is held.
    pub fn forget_missing(&mut self, slot: Slot) {
        match slot {
            Slot::Held(seq) if seq >= POSTED => self.state.producers.forget_slot(seq),
            Slot::Held(seq) => drop(self.state.held.remove(seq)),
            Slot::Dead { epoch, seq } => {
                if epoch == self.state.epoch {
                    self.state.replays.remove(&seq);
                }
                self.remove_dead(epoch, seq);
            }
        }
    }

    /// Gives a stored event another body.
    pub(super) fn replace(&mut self, slot: Slot, letter: crate::store::Letter) {
        let mode = PutMode::Replace;
        self.changes.push(Change::Put { slot, letter, mode });
    }
}

impl KeyState {
    /// Whether nothing of the key may run now, whatever is there.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.paused.is_on() || self.phase != Phase::Open
    }
}
