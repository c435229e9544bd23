use std::cmp::Ordering;

use super::producers::Beside;
use super::state::behind;
use super::transition::Transition;
use super::{KeyState, Pause, Phase, stored_event};
use crate::event::Seq;
use crate::protocol::{DeadCause, Effect, Refusal, Verb};
use crate::store::{Letter, Slot};

type Outcome = Result<Vec<u64>, Refusal>;

impl Transition<'_> {
    /// The slot of the event that a verb gives another body: its letter is read before the verb is decided.
    #[must_use]
    pub fn slot_to_edit(&self, seq: u64) -> Option<Slot> {
        if self.state.is_dead(seq) {
            Some(self.state.dead_slot(seq))
        } else {
            self.state.held.contains(seq).then_some(Slot::Held(seq))
        }
    }

    /// An operator, who owns the key now, intervenes. `letter` is the one of [`Transition::slot_to_edit`].
    ///
    /// # Errors
    /// Why it cannot be done; then nothing is changed.
    pub fn operate(&mut self, verb: &Verb, letter: Option<&Letter>) -> Result<Effect, Refusal> {
        let last_seq_before = self.state.last_seq;
        let mut marked = Vec::new();
        let removed = match verb {
            Verb::Retry => self.retry_now(),
            Verb::Skip { to } => self.skip(to.map(Seq::get)),
            Verb::Discard { seq } => self.discard(seq.get()),
            Verb::Edit { seq, body } => self.edit(seq.get(), body, letter),
            Verb::SetLast { to } => self.set_last(*to),
            Verb::Import { epoch, last } => self.import(*epoch, *last),
            Verb::Pause => self.set_paused(Pause::UntilResumed),
            Verb::PauseFor { length } => {
                self.pause_for(*length);
                Ok(Vec::new())
            }
            Verb::Resume => self.set_paused(Pause::No),
            Verb::Replay { seq } => {
                marked = self.mark_replays(seq.map(Seq::get))?;
                Ok(Vec::new())
            }
        }?;
        self.release(0, &Beside::default());
        self.watch_gap(false);
        Ok(Effect {
            last_seq_before,
            last_seq: self.state.last_seq,
            released: self.released(),
            removed,
            marked,
        })
    }

    fn retry_now(&mut self) -> Outcome {
        if self.state.phase == Phase::Open && !self.state.is_suspect() {
            return Err(Refusal::NotStopped);
        }
        if self.state.is_halted_by_producers() {
            self.state.producers.wait_anew(self.now);
        }
        // What went wrong stays to be seen until the event is done.
        let last_error = self.state.last_error.take();
        self.restart_head();
        self.state.last_error = last_error;
        self.pass_absent();
        Ok(Vec::new())
    }

    fn skip(&mut self, to: Option<u64>) -> Outcome {
        let head = self.state.head();
        let first_held = self.state.held.at_or_after(head);
        let to = match to {
            Some(to) if to < head => return Err(Refusal::NotAhead),
            Some(to) => to,
            None if self.state.is_halted_by_producers() => return self.skip_missing(),
            None if first_held == Some(head) => head,
            None if first_held.is_none() && self.policy.order.has_producers() => {
                return self.skip_missing();
            }
            None => first_held.ok_or(Refusal::NothingToSkip)? - 1,
        };
        let removed = self.dead_letter_range(head..=to, DeadCause::Skipped);
        self.skip_to(to);
        self.pass_absent();
        Ok(removed)
    }

    /// Passes over what the events of the key wait for that have no number: events that have not come, otherwise
    /// producers that may still send something.
    fn skip_missing(&mut self) -> Outcome {
        let producers = &mut self.state.producers;
        if !producers.skip_missing() && !producers.give_up_holders() {
            return Err(Refusal::NothingToSkip);
        }
        self.state.gap_since = None;
        if matches!(self.state.phase, Phase::Halted { .. }) {
            self.restart_head();
        }
        Ok(Vec::new())
    }

    fn discard(&mut self, seq: u64) -> Outcome {
        if self.state.held.contains(seq) {
            self.dead_letter_one(seq, DeadCause::Discarded);
            if !self.state.is_past(seq) && self.policy.order.waits_for_missing() {
                self.state.absent.insert(seq);
            }
            if seq == self.state.head() {
                self.restart_head();
            }
            self.pass_absent();
        } else if self.state.is_dead(seq) {
            self.remove_dead(self.state.epoch, seq);
            let was_replayed = self.state.replays.remove(&seq).is_some();
            // It was this replay that backed off.
            if was_replayed && matches!(self.state.phase, Phase::BackingOff { .. }) {
                self.state.phase = Phase::Open;
            }
        } else if let Some(epoch) = self.older_dead(seq) {
            self.remove_dead(epoch, seq);
        } else {
            return Err(Refusal::NoSuchEvent);
        }
        Ok(vec![seq])
    }

    fn edit(&mut self, seq: u64, body: &bytes::Bytes, letter: Option<&Letter>) -> Outcome {
        let slot = self
            .slot_to_edit(seq)
            .ok_or_else(|| self.no_such_event(Some(seq)))?;
        let letter = letter.ok_or(Refusal::NoSuchEvent)?;
        let mut envelope = stored_event(letter).unwrap_or_default();
        envelope.body = body.clone();
        // It is the event itself now, under its own id.
        let whole = envelope.forget_excerpt();
        let letter = Letter {
            id: whole.unwrap_or_else(|| letter.id.clone()),
            data: envelope.encode(),
            ..letter.clone()
        };
        self.replace(slot, letter);
        Ok(Vec::new())
    }

    fn set_last(&mut self, to: u64) -> Outcome {
        self.check_numbers()?;
        let begins_with_zero = self.policy.first_seq == 0;
        let to = match to {
            KeyState::BEFORE_ZERO if begins_with_zero => to,
            to => to.min(Seq::MAX.get()),
        };
        if to == self.state.last_seq {
            return Err(Refusal::Already);
        }
        let removed;
        if behind(to) > self.state.head() {
            // What lies behind the key was posted, and is no business of this verb.
            removed = self.dead_letter_range(self.state.head()..=to, DeadCause::Skipped);
            self.skip_to(to);
        } else {
            removed = match behind(to).checked_sub(1) {
                Some(to) => self.dead_letter_range(0..=to, DeadCause::Skipped),
                None => Vec::new(),
            };
            let epoch = self.state.epoch + 1;
            self.begin_again(to, epoch);
        }
        self.pass_absent();
        Ok(removed)
    }

    /// What lies up to `last` was done elsewhere: it is neither skipped nor remembered, so that what of it comes is
    /// stale.
    fn import(&mut self, epoch: Option<u64>, last: u64) -> Outcome {
        self.check_numbers()?;
        let (epoch, last) = (epoch.unwrap_or(self.state.epoch), last.min(Seq::MAX.get()));
        match (epoch, behind(last)).cmp(&(self.state.epoch, self.state.head())) {
            Ordering::Equal => return Err(Refusal::Already),
            Ordering::Less => return Err(Refusal::NotAhead),
            Ordering::Greater => {}
        }
        let removed;
        if epoch > self.state.epoch {
            removed = self.dead_letter_range(0..=u64::MAX, DeadCause::Superseded);
            self.begin_again(last, epoch);
        } else {
            removed = self.dead_letter_range(self.state.head()..=last, DeadCause::Skipped);
            self.move_head(last);
        }
        // Ids below are not remembered.
        self.state.anchors.clear();
        self.pass_absent();
        Ok(removed)
    }

    /// Whether the numbers of the key mean anything to its producers.
    fn check_numbers(&self) -> Result<(), Refusal> {
        if self.policy.order.numbers_itself() {
            return Err(Refusal::NoNumbers);
        }
        Ok(())
    }

    fn set_paused(&mut self, paused: Pause) -> Outcome {
        if self.state.paused == paused {
            return Err(Refusal::Already);
        }
        self.state.paused = paused;
        Ok(Vec::new())
    }

    fn mark_replays(&mut self, only: Option<u64>) -> Outcome {
        let here = self.state.dead.get(&self.state.epoch);
        let wanted = |seq: &u64| only.is_none_or(|only| only == *seq);
        let seqs: Vec<u64> = here
            .into_iter()
            .flat_map(|seqs| seqs.iter().filter(wanted))
            .collect();
        if seqs.is_empty() {
            return Err(self.no_such_event(only));
        }
        let seqs = self.not_superseded(seqs)?;
        let is_marked = |seq: &u64| self.state.replays.contains_key(seq);
        let (known, new): (Vec<u64>, Vec<u64>) = seqs.into_iter().partition(is_marked);
        let mut marked: Vec<u64> = known;
        for seq in new.into_iter().take(Effect::MAX_EVENTS) {
            if !self.state.is_past(seq) {
                self.hold_again(seq);
            } else {
                self.state.replays.insert(seq, 0);
            }
            marked.push(seq);
        }
        marked.sort_unstable();
        Ok(marked)
    }

    /// Those that would not undo a newer version.
    fn not_superseded(&self, seqs: Vec<u64>) -> Result<Vec<u64>, Refusal> {
        if !self.policy.order.has_versions() {
            return Ok(seqs);
        }
        let head = self.state.head();
        let newest: Vec<u64> = seqs.into_iter().filter(|seq| seq + 1 >= head).collect();
        if newest.is_empty() {
            return Err(Refusal::NewerVersion);
        }
        Ok(newest)
    }

    /// Why there is no event with this seq, or none at all, to be run.
    fn no_such_event(&self, seq: Option<u64>) -> Refusal {
        let superseded = match seq {
            Some(seq) => self.older_dead(seq).is_some(),
            None => !self.state.dead.is_empty(),
        };
        if superseded {
            Refusal::Superseded
        } else {
            Refusal::NoSuchEvent
        }
    }

    /// The latest earlier epoch with a dead letter of this seq.
    fn older_dead(&self, seq: u64) -> Option<u64> {
        let mut older = self.state.dead.range(..self.state.epoch).rev();
        older
            .find(|(_, seqs)| seqs.contains(seq))
            .map(|(epoch, _)| *epoch)
    }

    /// What may run now: the replays, and what is held from the head on without a gap.
    fn released(&self) -> Vec<u64> {
        let state = &*self.state;
        if state.is_blocked() {
            return Vec::new();
        }
        let replays = state.replays.keys().copied();
        let mut released: Vec<u64> = replays.take(Effect::MAX_EVENTS).collect();
        if !self.policy.order.waits_for_missing() {
            let ahead = state.held.iter().skip_while(|seq| state.is_past(*seq));
            released.extend(ahead.take(Effect::MAX_EVENTS - released.len()));
            return released;
        }
        let mut seq = state.head();
        while state.held.contains(seq) && released.len() < Effect::MAX_EVENTS {
            released.push(seq);
            seq += 1;
            if let Some(end) = state.absent.end_of_range(seq) {
                seq = end + 1;
            }
        }
        released
    }
}
