use super::{Step, is_suspect};
use crate::event::{Envelope, EventId};
use crate::protocol::{Event, Grant, Granted, Obstacle, Phase, Verdict, Waiting};

impl Step<'_> {
    /// An event came from the broker. With its payload it is kept when it cannot run.
    pub(super) fn offer(&mut self, event: &Event, payload: Option<&Envelope>) -> Verdict {
        let seq = event.seq.get();
        match event.epoch {
            Some(epoch) if epoch > self.key.epoch => return Verdict::NotYet,
            Some(epoch) if epoch < self.key.epoch => {
                return if self.is_repeat(&event.id) {
                    Verdict::Duplicate
                } else {
                    Verdict::Late
                };
            }
            _ => {}
        }
        if seq <= self.key.last_seq {
            return self.past(event);
        }
        if let Some(recorded) = self.known_id(seq).filter(|id| **id != event.id) {
            return Verdict::Conflict {
                recorded: recorded.clone(),
            };
        }
        if self.key.dead_at(seq).is_some() {
            return Verdict::Duplicate;
        }
        if self.is_overtaken(seq) {
            if self.is_claimed() {
                return Verdict::Late;
            }
            // Its place lies before what the worker that is gone was granted: the grant is over, or it could commit past
            // this one.
            self.seize();
            self.pass_absent();
            if seq <= self.key.last_seq {
                return self.past(event);
            }
        }
        let Some(why) = self.obstacle(event) else {
            return Verdict::Run(Grant {
                fence: self.key.fence,
                front: self.front_of(self.key.fence).unwrap_or(seq),
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

    /// An event at or below the last seq. The id is asked first: what was processed is a duplicate, under whichever seq
    /// it comes.
    fn past(&self, event: &Event) -> Verdict {
        let seq = event.seq.get();
        if self.is_repeat(&event.id) {
            return Verdict::Duplicate;
        }
        match self.key.done_at(seq, self.at.now) {
            Some(done) if done.id == event.id => Verdict::Duplicate,
            Some(done) => Verdict::Conflict {
                recorded: done.id.clone(),
            },
            None if self
                .key
                .dead_at(seq)
                .is_some_and(|(_, dead)| dead.id == event.id) =>
            {
                Verdict::Duplicate
            }
            None if self.key.was_passed(seq, self.at.now) => Verdict::Late,
            None => Verdict::Stale,
        }
    }

    /// The id of the event that is granted, is held, or was put aside under a seq beyond `last_seq`.
    fn known_id(&self, seq: u64) -> Option<&EventId> {
        let aside = || self.key.dead_at(seq).map(|(_, dead)| &dead.id);
        self.key.pending_id(seq).or_else(aside)
    }

    /// Whether its producer said that it would never come, and a later event has been granted since.
    fn is_overtaken(&self, seq: u64) -> bool {
        seq < self.key.granted_upto() && self.key.pending_id(seq).is_none()
    }

    /// Whether this worker or one that is alive has the key.
    fn is_claimed(&self) -> bool {
        self.key.claim.as_ref().is_some_and(|claim| {
            claim.worker == *self.at.worker || self.bucket.is_alive(&claim.worker, self.at.now)
        })
    }

    /// Grants the event to the worker if nothing stands in the way, else says what does.
    fn obstacle(&mut self, event: &Event) -> Option<Obstacle> {
        let seq = event.seq.get();
        let upto = self.key.granted_upto();
        let next = self.key.following(upto);
        let paused = self.is_paused();
        let depth = self.lane_depth();
        match &mut self.key.claim {
            Some(claim) if claim.worker == *self.at.worker => {
                if seq <= upto {
                    return None;
                }
                let why = if seq > next {
                    Obstacle::Gap
                } else if paused {
                    Obstacle::Paused
                } else if claim.granted.len() >= depth {
                    Obstacle::LaneFull
                } else {
                    claim.granted.push_back(Granted {
                        seq,
                        id: event.id.clone(),
                    });
                    return None;
                };
                Some(why)
            }
            Some(claim) if self.bucket.is_alive(&claim.worker, self.at.now) => {
                Some(if seq > next {
                    Obstacle::Gap
                } else {
                    Obstacle::Running
                })
            }
            _ => self.blocked().or_else(|| {
                if seq > self.key.head() {
                    return Some(Obstacle::Gap);
                }
                if is_suspect(self.bucket, self.key, self.at.policy, self.at.now) {
                    return Some(Obstacle::BackingOff);
                }
                self.take(Granted {
                    seq,
                    id: event.id.clone(),
                })
            }),
        }
    }

    /// What keeps the whole key from running, if something does.
    fn blocked(&self) -> Option<Obstacle> {
        match self.key.phase {
            Phase::Halted => Some(Obstacle::Halted),
            _ if self.is_paused() => Some(Obstacle::Paused),
            phase if phase.is_open(self.at.now) => None,
            _ => Some(Obstacle::BackingOff),
        }
    }

    fn attempt_at(&self, seq: u64) -> u32 {
        let first = self
            .key
            .claim
            .as_ref()
            .and_then(|claim| claim.granted.front());
        if first.is_some_and(|first| first.seq == seq) {
            self.key.attempts
        } else {
            1
        }
    }
}
