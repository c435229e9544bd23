use std::time::Duration;

use super::{
    Action, Attempt, BucketState, Claim, Done, Event, Fence, Grant, Held, KeyState, Millis, Next,
    Obstacle, Phase, Policy, Quota, QuotaLimit, Trouble, Verdict, Waiting, WorkerId,
};
use crate::event::{Envelope, EventId, Seq};

/// Who asks, when, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The group's rules.
    pub policy: &'a Policy,
    /// The bucket's share of the group's quota.
    pub bucket_quota: Quota,
    /// The worker that sent the command.
    pub worker: &'a WorkerId,
    /// The store's time.
    pub now: Millis,
}

/// The whole protocol: what a command does to a key, and what the worker is told.
pub fn decide(
    bucket: &mut BucketState,
    key: &mut KeyState,
    situation: Situation<'_>,
    action: &Action,
) -> Verdict {
    key.forget(situation.now);
    let mut step = Step {
        bucket,
        key,
        at: situation,
    };
    match action {
        Action::Offer(event) => step.offer(event, None),
        Action::Hold(event, envelope) => step.offer(event, Some(envelope)),
        Action::Commit { event, fence, have } => step.commit(event, *fence, *have),
        Action::Retry(attempt) => step.retry(attempt),
        Action::Postpone(attempt, envelope, delay) => step.postpone(attempt, envelope, *delay),
        Action::Halt(attempt, envelope) => step.halt(attempt, envelope),
        Action::Release { fence } => step.release(*fence),
        Action::Claim => step.claim(),
    }
}

/// Whether a sweep should point a worker at this key: its head is held, may run, and nobody alive has it.
#[must_use]
pub fn runnable(bucket: &BucketState, key: &KeyState, now: Millis) -> bool {
    let free = key
        .claim
        .as_ref()
        .is_none_or(|claim| !bucket.is_alive(&claim.worker, now));
    free && key.held.contains_key(&key.head()) && key.phase.is_open(now)
}

impl Phase {
    fn is_open(self, now: Millis) -> bool {
        match self {
            Self::Open => true,
            Self::BackingOff { until } => until <= now,
            Self::Halted => false,
        }
    }
}

struct Step<'a> {
    bucket: &'a mut BucketState,
    key: &'a mut KeyState,
    at: Situation<'a>,
}

impl Step<'_> {
    fn offer(&mut self, event: &Event, payload: Option<&Envelope>) -> Verdict {
        let seq = event.seq.get();
        if seq <= self.key.last_seq {
            return self.past(event);
        }
        if let Some(recorded) = self.key.pending_id(seq).filter(|id| **id != event.id) {
            return Verdict::Conflict {
                recorded: recorded.clone(),
            };
        }
        let Some(why) = self.obstacle(event) else {
            return Verdict::Run(Grant {
                fence: self.key.fence,
                attempt: self.attempt_at(seq),
                repeat: self.is_repeat(&event.id),
            });
        };
        let waiting = Waiting {
            for_seq: self.key.head(),
            why,
        };
        match payload {
            _ if self.key.held.contains_key(&seq) => Verdict::Held(waiting),
            None => Verdict::Early(waiting),
            Some(envelope) => match self.full(seq, envelope.size()) {
                Some(limit) => Verdict::HoldFull(limit),
                None => {
                    self.keep(event, envelope);
                    Verdict::Held(waiting)
                }
            },
        }
    }

    /// An event at or below the last committed seq. The id is asked first: what was processed is a duplicate,
    /// under whichever seq it comes.
    fn past(&self, event: &Event) -> Verdict {
        if self.is_repeat(&event.id) {
            return Verdict::Duplicate;
        }
        match self.key.done_at(event.seq.get(), self.at.now) {
            Some(done) if done.id == event.id => Verdict::Duplicate,
            Some(done) => Verdict::Conflict {
                recorded: done.id.clone(),
            },
            None => Verdict::Stale,
        }
    }

    /// Grants the event to the worker if nothing stands in the way, else says what does.
    fn obstacle(&mut self, event: &Event) -> Option<Obstacle> {
        let seq = event.seq.get();
        let upto = self.key.granted_upto();
        let depth = u64::from(self.at.policy.lane_depth);
        match &mut self.key.claim {
            Some(claim) if claim.worker == *self.at.worker => {
                if seq > upto + 1 {
                    return Some(Obstacle::Gap);
                }
                if seq == upto + 1 {
                    if claim.granted.len() as u64 >= depth {
                        return Some(Obstacle::LaneFull);
                    }
                    claim.granted.push_back(event.id.clone());
                }
                None
            }
            Some(claim) if self.bucket.is_alive(&claim.worker, self.at.now) => {
                Some(if seq > upto + 1 {
                    Obstacle::Gap
                } else {
                    Obstacle::Running
                })
            }
            _ => self.blocked().or_else(|| {
                if seq > self.key.head() {
                    return Some(Obstacle::Gap);
                }
                self.take(event.id.clone())
            }),
        }
    }

    fn blocked(&self) -> Option<Obstacle> {
        match self.key.phase {
            Phase::Halted => Some(Obstacle::Halted),
            phase if phase.is_open(self.at.now) => None,
            _ => Some(Obstacle::BackingOff),
        }
    }

    /// Gives the key to the worker, to run the event with this id at its head. An event that has used up its
    /// attempts, because the workers that ran it died, halts the key instead.
    fn take(&mut self, head: EventId) -> Option<Obstacle> {
        self.key.fence.0 += 1;
        if self.key.attempts >= self.at.policy.max_attempts {
            self.blame(
                "the worker that ran it died or lost its lease, on the last of its attempts",
            );
            self.key.claim = None;
            self.key.phase = Phase::Halted;
            return Some(Obstacle::Halted);
        }
        self.key.attempts += 1;
        self.key.phase = Phase::Open;
        self.key.claim = Some(Claim {
            worker: self.at.worker.clone(),
            since: self.at.now,
            granted: [head].into(),
        });
        None
    }

    fn commit(&mut self, event: &Event, fence: Fence, have: u64) -> Verdict {
        if fence != self.key.fence {
            return Verdict::Fenced;
        }
        if event.seq.get() > self.key.last_seq {
            if !self.owns_head(event, fence) {
                return Verdict::Fenced;
            }
            self.advance(event);
        }
        let next = self.next(have);
        self.end_idle_claim();
        let released = !self.owns(fence);
        Verdict::Committed { next, released }
    }

    /// Moves the key past the event at its head.
    fn advance(&mut self, event: &Event) {
        let seq = event.seq.get();
        self.drop_held(seq);
        self.key.last_seq = seq;
        self.key.trouble = None;
        let expires = self.at.now.saturating_add(millis(self.at.policy.dedup_ttl));
        self.key.done.insert(
            seq,
            Done {
                id: event.id.clone(),
                expires,
            },
        );
        self.key.done_ids.insert(event.id.clone(), (seq, expires));
        if let Some(claim) = &mut self.key.claim {
            claim.granted.pop_front();
            self.key.attempts = 1;
        }
    }

    /// A claim ends with the last of what was granted.
    fn end_idle_claim(&mut self) {
        if self
            .key
            .claim
            .as_ref()
            .is_some_and(|claim| claim.granted.is_empty())
        {
            self.key.claim = None;
            self.key.attempts = 0;
        }
    }

    /// The held events beyond `have` that the worker may run; grants those that are not granted yet. A worker has
    /// nothing that it was not granted, so the first event handed back is never beyond the next one to grant.
    fn next(&mut self, have: u64) -> Vec<Next> {
        let upto = self.key.granted_upto();
        // At least one of each, or a key with held events would stop here.
        let depth = u64::from(self.at.policy.lane_depth.max(1));
        let most = u64::from(self.at.policy.next_events.max(1));
        let mut next = Vec::new();
        let mut bytes = 0;
        if self.key.claim.is_none() {
            return next;
        }
        let first = have.clamp(self.key.last_seq, upto) + 1;
        for seq in first..=self.key.last_seq + depth {
            let Some(held) = self.key.held.get(&seq) else {
                if seq > upto {
                    break;
                }
                continue;
            };
            bytes += held.envelope.size();
            let enough = next.len() as u64 >= most;
            if enough || (bytes > self.at.policy.next_bytes && !next.is_empty()) {
                break;
            }
            next.push(Next {
                seq: Seq::new(seq).expect("a held seq came in as a Seq"),
                id: held.id.clone(),
                envelope: held.envelope.clone(),
                repeat: self.is_repeat(&held.id),
            });
        }
        if let Some(claim) = &mut self.key.claim {
            claim.granted.extend(
                next.iter()
                    .filter(|next| next.seq.get() > upto)
                    .map(|next| next.id.clone()),
            );
        }
        next
    }

    fn retry(&mut self, attempt: &Attempt) -> Verdict {
        if !self.owns_head(&attempt.event, attempt.fence) {
            return Verdict::Fenced;
        }
        if attempt.number >= self.key.attempts {
            self.blame(&attempt.error);
            self.key.attempts = attempt.number + 1;
        }
        Verdict::Run(Grant {
            fence: attempt.fence,
            attempt: self.key.attempts,
            repeat: false,
        })
    }

    fn postpone(&mut self, attempt: &Attempt, envelope: &Envelope, delay: Duration) -> Verdict {
        if self.owns_head(&attempt.event, attempt.fence) {
            let until = self.at.now.saturating_add(millis(delay));
            self.set_aside(attempt, envelope, Phase::BackingOff { until });
        }
        match self.key.phase {
            Phase::BackingOff { until } if self.is_set_aside(attempt) => {
                Verdict::Postponed { until }
            }
            _ => Verdict::Fenced,
        }
    }

    fn halt(&mut self, attempt: &Attempt, envelope: &Envelope) -> Verdict {
        if self.owns_head(&attempt.event, attempt.fence) {
            self.set_aside(attempt, envelope, Phase::Halted);
        }
        match self.key.phase {
            Phase::Halted if self.is_set_aside(attempt) => Verdict::Halted,
            _ => Verdict::Fenced,
        }
    }

    /// The failed event stays at the head, kept by the store whatever the quota says, and the claim ends.
    fn set_aside(&mut self, attempt: &Attempt, envelope: &Envelope, phase: Phase) {
        self.blame(&attempt.error);
        if !self.key.held.contains_key(&attempt.event.seq.get()) {
            self.keep(&attempt.event, envelope);
        }
        self.key.attempts = attempt.number;
        self.key.claim = None;
        self.key.phase = phase;
    }

    fn is_set_aside(&self, attempt: &Attempt) -> bool {
        attempt.fence == self.key.fence
            && self.key.claim.is_none()
            && attempt.event.seq.get() == self.key.head()
    }

    fn release(&mut self, fence: Fence) -> Verdict {
        if self.owns(fence) {
            self.key.claim = None;
            self.key.attempts = self.key.attempts.saturating_sub(1);
        }
        if fence == self.key.fence && self.key.claim.is_none() {
            Verdict::Released
        } else {
            Verdict::Fenced
        }
    }

    fn claim(&mut self) -> Verdict {
        if !self.owns(self.key.fence) {
            if !runnable(self.bucket, self.key, self.at.now) {
                return Verdict::Idle;
            }
            let head = self.key.held[&self.key.head()].id.clone();
            if self.take(head).is_some() {
                return Verdict::Idle;
            }
        }
        Verdict::Claimed {
            fence: self.key.fence,
            attempt: self.key.attempts,
            next: self.next(self.key.last_seq),
        }
    }

    fn owns(&self, fence: Fence) -> bool {
        fence == self.key.fence
            && self
                .key
                .claim
                .as_ref()
                .is_some_and(|claim| claim.worker == *self.at.worker)
    }

    fn owns_head(&self, event: &Event, fence: Fence) -> bool {
        self.owns(fence)
            && event.seq.get() == self.key.head()
            && self
                .key
                .claim
                .as_ref()
                .is_some_and(|claim| claim.granted.front() == Some(&event.id))
    }

    fn attempt_at(&self, seq: u64) -> u32 {
        if seq == self.key.head() {
            self.key.attempts
        } else {
            1
        }
    }

    fn is_repeat(&self, id: &EventId) -> bool {
        self.key.is_done(id, self.at.now)
    }

    fn blame(&mut self, error: &str) {
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
            worker: self.at.worker.clone(),
        });
    }

    fn keep(&mut self, event: &Event, envelope: &Envelope) {
        let size = envelope.size();
        self.bucket.held_events += 1;
        self.bucket.held_bytes += size;
        self.key.held_bytes += size;
        let held = Held {
            id: event.id.clone(),
            envelope: envelope.clone(),
            since: self.at.now,
        };
        self.key.held.insert(event.seq.get(), held);
    }

    fn drop_held(&mut self, seq: u64) {
        if let Some(held) = self.key.held.remove(&seq) {
            let size = held.envelope.size();
            self.bucket.held_events -= 1;
            self.bucket.held_bytes -= size;
            self.key.held_bytes -= size;
        }
    }

    /// The quota that the event would break. The head of a key is always taken: it is what lets the others go.
    fn full(&self, seq: u64, size: u64) -> Option<QuotaLimit> {
        let (key, share) = (self.at.policy.key_quota, self.at.bucket_quota);
        if seq == self.key.head() {
            None
        } else if self.key.held.len() as u64 >= key.events {
            Some(QuotaLimit::KeyEvents)
        } else if self.key.held_bytes + size > key.bytes {
            Some(QuotaLimit::KeyBytes)
        } else if self.bucket.held_events >= share.events {
            Some(QuotaLimit::GroupEvents)
        } else if self.bucket.held_bytes + size > share.bytes {
            Some(QuotaLimit::GroupBytes)
        } else {
            None
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
