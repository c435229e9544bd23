use super::Step;
use crate::event::{Envelope, EventId, Seq};
use crate::protocol::{Done, Event, Fence, Granted, Millis, Next, Verdict};

impl Step<'_> {
    pub(super) fn commit(&mut self, event: &Event, fence: Fence, have: u64) -> Verdict {
        if self.owns_front(event, fence) {
            self.finish(event);
        } else if fence != self.key.fence || event.seq.get() > self.key.last_seq {
            return Verdict::Fenced;
        }
        self.committed(fence, have)
    }

    /// What may run next; also the answer to a commit that is repeated because its reply was lost.
    pub(super) fn committed(&mut self, fence: Fence, have: u64) -> Verdict {
        let next = self.next(have);
        Verdict::Committed {
            next,
            released: !self.owns(fence),
        }
    }

    /// The event at the front is done: the key moves past it, or it is no longer aside.
    pub(super) fn finish(&mut self, event: &Event) {
        let seq = event.seq.get();
        if seq > self.key.last_seq {
            self.drop_held(seq);
            self.key.last_seq = seq;
            self.key.trouble = None;
            self.key.attempts = 0;
        } else {
            self.key.dead.remove(&(self.key.epoch, seq));
        }
        self.remember(event);
        self.go_on();
    }

    /// Remembers the event as processed, by its seq and by its id.
    pub(super) fn remember(&mut self, event: &Event) {
        let expires = self.remembered_until();
        self.key.done.insert(
            event.seq.get(),
            Done {
                id: event.id.clone(),
                expires,
            },
        );
        self.key
            .done_ids
            .insert(event.id.clone(), (event.seq.get(), expires));
    }

    /// The claim goes on with what is granted, else with what waits; where nothing does, or the key is paused, it ends.
    pub(super) fn go_on(&mut self) {
        self.pass_absent();
        let paused = self.is_paused();
        let waiting = self.waiting();
        let Some(claim) = &mut self.key.claim else {
            return;
        };
        claim.granted.pop_front();
        if claim.granted.is_empty() {
            claim.granted.extend(waiting);
        }
        if claim.granted.is_empty() || paused {
            self.key.claim = None;
        } else {
            self.begin_front();
        }
    }

    /// What waits in the store and may be granted to a worker that has nothing else of the key: a replay before the head.
    pub(super) fn waiting(&self) -> Option<Granted> {
        let replay = self.key.replay().map(|(seq, dead)| Granted {
            seq,
            id: dead.id.clone(),
        });
        replay.or_else(|| {
            let (seq, id) = self
                .key
                .held
                .get_key_value(&self.key.head())
                .map(|(seq, held)| (*seq, held.id.clone()))?;
            Some(Granted { seq, id })
        })
    }

    /// The events from the store that the worker may run: a replay, and what is held beyond `have`. Grants those that are
    /// not granted yet.
    pub(super) fn next(&mut self, have: u64) -> Vec<Next> {
        let mut next = Vec::new();
        let Some(claim) = &self.key.claim else {
            return next;
        };
        let (mut count, upto) = (claim.granted.len() as u64, self.key.granted_upto());
        let depth = u64::from(self.at.policy.lane_depth);
        let mut bytes = 0;
        if let Some(front) = claim
            .granted
            .front()
            .filter(|front| front.seq <= self.key.last_seq)
            && let Some(dead) = self.key.dead.get(&(self.key.epoch, front.seq))
        {
            // A replay is handled although its id may be remembered: that is what a replay is for.
            bytes += dead.envelope.size();
            next.push(next_event(
                front.seq,
                &dead.id,
                &dead.envelope,
                dead.at,
                false,
            ));
        }
        let mut granted = Vec::new();
        let mut seq = self.key.following(have.max(self.key.last_seq));
        while seq <= upto || count < depth {
            if let Some(held) = self.key.held.get(&seq) {
                bytes += held.envelope.size();
                let enough = next.len() as u64 >= u64::from(self.at.policy.next_events);
                if enough || (bytes > self.at.policy.next_bytes && !next.is_empty()) {
                    break;
                }
                if seq > upto {
                    count += 1;
                    granted.push(Granted {
                        seq,
                        id: held.id.clone(),
                    });
                }
                next.push(next_event(
                    seq,
                    &held.id,
                    &held.envelope,
                    held.since,
                    self.is_repeat(&held.id),
                ));
            } else if seq > upto {
                break;
            }
            seq = self.key.following(seq);
        }
        if let Some(claim) = &mut self.key.claim {
            claim.granted.extend(granted);
        }
        next
    }
}

fn next_event(seq: u64, id: &EventId, envelope: &Envelope, since: Millis, repeat: bool) -> Next {
    let seq = Seq::new(seq).expect("what the store keeps came in with a Seq");
    Next {
        seq,
        id: id.clone(),
        envelope: envelope.clone(),
        since,
        repeat,
    }
}
