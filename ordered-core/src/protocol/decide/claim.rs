use super::{Step, millis, runnable};
use crate::protocol::{Claim, Fence, GapPolicy, Granted, Obstacle, Phase, Verdict};

impl Step<'_> {
    /// A sweep found that something of the key may run.
    pub(super) fn claim(&mut self) -> Verdict {
        if self.owns(self.key.fence) {
            // Repeated because the reply was lost, or the worker runs the key since it offered an event of it, and knows.
            if !self.front_is_stored() {
                return Verdict::Idle;
            }
        } else {
            if !runnable(self.bucket, self.key, self.at.policy, self.at.now) {
                return Verdict::Idle;
            }
            if self.waiting().is_none() {
                self.end_what_is_over();
            }
            let Some(first) = self.waiting() else {
                return Verdict::Idle;
            };
            let is_replay = first.seq <= self.key.last_seq;
            if self.take(first).is_some() {
                // A replay that has used up its attempts is put back, and stands in nobody's way.
                return if is_replay {
                    self.claim()
                } else {
                    Verdict::Idle
                };
            }
        }
        let front = self
            .key
            .claim
            .as_ref()
            .and_then(|claim| claim.granted.front())
            .map_or(0, |front| front.seq);
        Verdict::Claimed {
            fence: self.key.fence,
            attempt: *self.attempts(front),
            next: self.next(self.key.last_seq),
        }
    }

    fn front_is_stored(&self) -> bool {
        let claim = self.key.claim.as_ref();
        claim
            .and_then(|claim| claim.granted.front())
            .is_some_and(|front| {
                front.seq <= self.key.last_seq || self.key.held.contains_key(&front.seq)
            })
    }

    /// Gives the key to the worker, to run this event first. An event that has used up its attempts, because the workers
    /// that ran it died, stops the key instead.
    pub(super) fn take(&mut self, first: Granted) -> Option<Obstacle> {
        let died = self.seize_from_the_dead();
        let seq = first.seq;
        if *self.attempts(seq) >= self.at.policy.max_attempts {
            self.exhausted(seq, died.as_deref());
            return Some(Obstacle::Halted);
        }
        self.key.phase = Phase::Open;
        self.key.claim = Some(Claim {
            worker: self.at.worker.clone(),
            since: self.at.now,
            granted: [first].into(),
        });
        self.begin_front();
        None
    }

    /// Ends the claim of a worker that is gone, if there is one, and says who it was: what kills its workers has nothing
    /// else to be known by.
    fn seize_from_the_dead(&mut self) -> Option<String> {
        let claim = self.key.claim.take();
        self.seize();
        let Claim {
            worker, granted, ..
        } = claim?;
        let error = format!("worker {worker} died or lost its lease while it had the event");
        if granted
            .front()
            .is_some_and(|front| front.seq == self.key.head())
        {
            self.blame_on(&error, worker);
        }
        Some(error)
    }

    /// Whatever `on_exhausted` says: the store may not have the event, and cannot put aside what it does not have.
    fn exhausted(&mut self, seq: u64, died: Option<&str>) {
        const DIED: &str = "a worker died or lost its lease while it had the event";
        if seq > self.key.last_seq {
            if self.key.trouble.is_none() {
                self.blame(DIED);
            }
            self.key.phase = Phase::Halted;
        } else {
            self.put_back(seq, died.unwrap_or(DIED));
            self.pass_absent();
        }
    }

    /// The event at the head is not there. If it was granted to a worker that is gone, the grant is over, and from now on
    /// the key waits for the event to come again; else it has waited for as long as the group does.
    fn end_what_is_over(&mut self) {
        if self.key.claim.is_some() {
            self.seize_from_the_dead();
            self.pass_absent();
            let at_once = self
                .at
                .policy
                .on_gap
                .after()
                .is_some_and(|after| millis(after) == 0);
            if self.waiting().is_some() || !at_once {
                return;
            }
        }
        self.end_gap();
    }

    /// An event has not come for as long as the group waits.
    fn end_gap(&mut self) {
        let head = self.key.head();
        match self.at.policy.on_gap {
            GapPolicy::Wait => {}
            GapPolicy::Halt { after } => {
                self.blame(&format!("seq {head} has not come for {after:?}"));
                self.key.phase = Phase::Halted;
            }
            GapPolicy::Skip { .. } => {
                if let Some(first) = self.key.held.keys().next().copied() {
                    self.pass(first - 1);
                    self.pass_absent();
                }
            }
        }
    }

    pub(super) fn release(&mut self, fence: Fence) -> Verdict {
        if self.owns(fence) {
            let front = self
                .key
                .claim
                .as_ref()
                .and_then(|claim| claim.granted.front())
                .map_or(0, |front| front.seq);
            let attempts = self.attempts(front);
            *attempts = attempts.saturating_sub(1);
            self.end_claim();
        }
        if fence == self.key.fence && self.key.claim.is_none() {
            Verdict::Released
        } else {
            Verdict::Fenced
        }
    }
}
