use super::Step;
use crate::event::Seq;
use crate::protocol::{DeadCause, Effect, Phase, Refusal, Verb, Verdict};

type Outcome = Result<Vec<u64>, Refusal>;

impl Step<'_> {
    /// An operator intervenes. A worker that runs the key is fenced off where the verb changes what it runs.
    pub(super) fn operate(&mut self, verb: &Verb) -> Verdict {
        let outcome = match verb {
            Verb::Retry => self.retry_now(),
            Verb::Skip { to } => self.skip(to.map(Seq::get)),
            Verb::Discard { seq } => self.discard(seq.get()),
            Verb::Edit { seq, body } => self.edit(seq.get(), body),
            Verb::SetLast { to } => self.set_last(*to),
            Verb::Pause => self.set_paused(true),
            Verb::Resume => self.set_paused(false),
            Verb::Replay { seq } => self.mark_replays(seq.map(Seq::get)),
        };
        match outcome {
            Ok(removed) => Verdict::Operated(Effect {
                last_seq: self.key.last_seq,
                released: self.released(),
                removed,
            }),
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    fn retry_now(&mut self) -> Outcome {
        if self.key.phase == Phase::Open {
            return Err(Refusal::NotStopped);
        }
        self.key.phase = Phase::Open;
        self.key.attempts = 0;
        self.pass_absent();
        Ok(Vec::new())
    }

    fn skip(&mut self, to: Option<u64>) -> Outcome {
        let head = self.key.head();
        let to = match to {
            Some(to) if to < head => return Err(Refusal::NotAhead),
            Some(to) => to,
            None if self.key.pending_id(head).is_some() => head,
            None => self.key.held.keys().next().ok_or(Refusal::NothingToSkip)? - 1,
        };
        self.seize();
        let removed = self.bury(to, DeadCause::Skipped);
        self.pass(to);
        self.pass_absent();
        Ok(removed)
    }

    fn discard(&mut self, seq: u64) -> Outcome {
        if self.key.held.contains_key(&seq) {
            if self.key.claim.is_some() {
                self.seize();
            }
            self.bury_one(seq, DeadCause::Discarded);
            self.note_absent(seq, seq);
            self.pass_absent();
        } else if self.key.dead_at(seq).is_some() {
            if self.is_granted(seq) {
                self.seize();
            }
            self.key.dead.remove(&(self.key.epoch, seq));
            // It was this replay that backed off.
            if self.key.trouble.is_none() && self.key.phase != Phase::Halted {
                self.key.phase = Phase::Open;
            }
        } else if let Some(epoch) = self.key.older_dead(seq) {
            self.key.dead.remove(&(epoch, seq));
        } else {
            return Err(Refusal::NoSuchEvent);
        }
        Ok(vec![seq])
    }

    fn edit(&mut self, seq: u64, body: &bytes::Bytes) -> Outcome {
        if self.is_granted(seq) {
            return Err(Refusal::Running);
        }
        if let Some(dead) = self.key.dead.get_mut(&(self.key.epoch, seq)) {
            dead.envelope.body = body.clone();
            return Ok(Vec::new());
        }
        let absent = self.no_such_event(Some(seq));
        let held = self.key.held.get_mut(&seq).ok_or(absent)?;
        let before = held.envelope.size();
        held.envelope.body = body.clone();
        let after = held.envelope.size();
        self.key.held_bytes = self.key.held_bytes - before + after;
        self.bucket.held_bytes = self.bucket.held_bytes - before + after;
        Ok(Vec::new())
    }

    /// Why there is no event with this seq, or none at all, to be run.
    fn no_such_event(&self, seq: Option<u64>) -> Refusal {
        let superseded = match seq {
            Some(seq) => self.key.older_dead(seq).is_some(),
            None => !self.key.dead.is_empty(),
        };
        if superseded {
            Refusal::Superseded
        } else {
            Refusal::NoSuchEvent
        }
    }

    fn is_granted(&self, seq: u64) -> bool {
        let claim = self.key.claim.as_ref();
        claim.is_some_and(|claim| claim.granted.iter().any(|granted| granted.seq == seq))
    }

    fn set_last(&mut self, to: u64) -> Outcome {
        let to = to.min(Seq::MAX.get());
        if to == self.key.last_seq {
            return Err(Refusal::Already);
        }
        self.seize();
        let removed = self.bury(to, DeadCause::Skipped);
        if to > self.key.last_seq {
            self.pass(to);
        } else {
            self.begin_again(to, self.key.epoch + 1);
        }
        self.pass_absent();
        Ok(removed)
    }

    fn set_paused(&mut self, paused: bool) -> Outcome {
        if self.key.paused == paused {
            return Err(Refusal::Already);
        }
        self.key.paused = paused;
        Ok(Vec::new())
    }

    fn mark_replays(&mut self, only: Option<u64>) -> Outcome {
        let (from, to) = only.map_or((0, u64::MAX), |only| (only, only));
        let here = (self.key.epoch, from)..=(self.key.epoch, to);
        if self.key.dead.range(here.clone()).next().is_none() {
            return Err(self.no_such_event(only));
        }
        let aside = self
            .key
            .dead
            .range_mut(here)
            .filter(|(_, dead)| !dead.replay);
        for (_, dead) in aside.take(Effect::MOST) {
            dead.replay = true;
            dead.attempts = 0;
        }
        Ok(Vec::new())
    }

    /// What may run now: the replays, and what is held from the head on without a gap.
    fn released(&self) -> Vec<u64> {
        if self.is_paused() || !self.key.phase.is_open(self.at.now) {
            return Vec::new();
        }
        let here = self
            .key
            .dead
            .range((self.key.epoch, 0)..=(self.key.epoch, self.key.last_seq));
        let mut released: Vec<u64> = here
            .filter(|(_, dead)| dead.replay)
            .map(|((_, seq), _)| *seq)
            .collect();
        let mut seq = self.key.head();
        while self.key.held.contains_key(&seq) && released.len() < Effect::MOST {
            released.push(seq);
            seq = self.key.following(seq);
        }
        released.truncate(Effect::MOST);
        released
    }
}
