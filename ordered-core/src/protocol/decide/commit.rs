use super::Step;
use crate::event::{Envelope, EventId, Seq};
use crate::protocol::{Claim, Done, Event, Fence, Granted, Millis, Next, Verdict};

impl Step<'_> {
    pub(super) fn commit(&mut self, event: &Event, fence: Fence, have: u64) -> Verdict {
        if self.owns_front(event, fence) {
            self.finish(event);
            return self.go_on(fence, have);
        }
        if fence != self.key.fence || event.seq.get() > self.key.last_seq {
            return Verdict::Fenced;
        }
        self.committed(fence, have)
    }

    /// What may run next; also the answer to a commit that is repeated because its reply was lost.
    fn committed(&mut self, fence: Fence, have: u64) -> Verdict {
        let next = self.next(have);
        Verdict::Committed {
            next,
            front: self.front_of(fence),
        }
    }

    /// The event at the front is done: the key moves past it, or it is no longer aside.
    fn finish(&mut self, event: &Event) {
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

    /// The front of the claim is done with. The claim goes on with what is granted, else with what waits; where nothing
    /// does, or the key is paused, it ends.
    pub(super) fn go_on(&mut self, fence: Fence, have: u64) -> Verdict {
        if let Some(claim) = &mut self.key.claim {
            claim.granted.pop_front();
        }
        if self.is_paused() {
            self.key.claim = None;
        }
        self.pass_absent();
        let next = self.next(have);
        let nothing = |claim: &Claim| claim.granted.is_empty();
        if self.key.claim.as_ref().is_some_and(nothing) {
            self.key.claim = None;
        }
        self.begin_front();
        Verdict::Committed {
            next,
            front: self.front_of(fence),
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
    /// not granted yet. A worker has nothing that it was not granted, so the first event handed back is never beyond the
    /// next one to grant.
    pub(super) fn next(&mut self, have: u64) -> Vec<Next> {
        let mut next = Vec::new();
        let (upto, depth) = (self.key.granted_upto(), self.lane_depth());
        // At least one, or a key with held events would stop here.
        let most = self.at.policy.next_events.max(1) as usize;
        let Some(claim) = &self.key.claim else {
            return next;
        };
        let mut granted: Vec<Granted> = Vec::new();
        let replay = match claim.granted.front() {
            Some(front) => Some(front.seq).filter(|seq| *seq <= self.key.last_seq),
            None => self.key.replay().map(|(seq, _)| seq),
        };
        let mut bytes = 0;
        if let Some((seq, dead)) = replay.and_then(|seq| self.key.dead_at(seq)) {
            if claim.granted.is_empty() {
                let id = dead.id.clone();
                granted.push(Granted { seq, id });
            }
            // A replay is handled although its id may be remembered: that is what a replay is for.
            bytes += dead.envelope.size();
            next.push(next_event(seq, &dead.id, &dead.envelope, dead.at, false));
        }
        let mut count = claim.granted.len() + granted.len();
        let mut seq = self.key.following(have.clamp(self.key.last_seq, upto));
        while seq <= upto || count < depth {
            if let Some(held) = self.key.held.get(&seq) {
                bytes += held.envelope.size();
                let full = bytes > self.at.policy.next_bytes && !next.is_empty();
                if next.len() >= most || full {
                    break;
                }
                if seq > upto {
                    count += 1;
                    let id = held.id.clone();
                    granted.push(Granted { seq, id });
                }
                let repeat = self.is_repeat(&held.id);
                next.push(next_event(
                    seq,
                    &held.id,
                    &held.envelope,
                    held.since,
                    repeat,
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
