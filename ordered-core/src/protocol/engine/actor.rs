mod settle;

use std::collections::HashSet;

use super::effect::{DeferReason, Effect, EventChange, RunId};
use super::event::Event;
use super::pending::{Failure, PendingSave};
use super::queue::{Added, Queue};
use super::shared::Shared;
use super::watermark::Watermark;
use crate::event::{EventId, Key};
use crate::protocol::{Fence, KeyState, Millis, Moved, QuotaLimit};
use crate::store::Listing;
use crate::transport::Token;
use crate::worker::Control;

/// A key at work in this worker. It says one thing to the store at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actor<D> {
    pub(super) key: Key,
    // Boxed: most of the actor, and moved with it.
    pub(super) ownership: Option<Box<Ownership>>,
    pub(super) queue: Queue<D>,
    /// Control messages of producers that are not carried out yet.
    pub(super) controls: Vec<(Control, Token)>,
    /// A request is under way.
    pub(super) pending: bool,
    /// The lease had ended since that was sent: what is granted may be another worker's already.
    pub(super) lapsed: bool,
    /// It is in the outbox.
    pub(super) queued: bool,
    /// It is in the queue for a handler slot.
    pub(super) in_ready_queue: bool,
    /// The worker wants the key although it has no event of it: a sweep found it.
    pub(super) claimed: bool,
    /// The worker wants the key to write down how far it knows it to be: the store lost state.
    pub(super) adopting: bool,
    /// Another worker had the key when it was asked for last.
    pub(super) busy: bool,
    /// It waits to be woken before it asks again.
    pub(super) asleep: bool,
    /// The first event that is not done has failed.
    pub(super) failure: Option<Failure>,
    /// It keeps the key while it waits for the next attempt.
    pub(super) waiting: Option<Failure>,
    /// How many of the deliveries in the queue are counted as waiting.
    pub(super) waiting_deliveries: usize,
    /// The run that is under way.
    pub(super) run: Option<u64>,
    /// What waits too long for room in the queue is to be held.
    pub(super) hold_overflow: bool,
    /// A quota had no room for the last save. The next one holds nothing new, so that it is carried out.
    pub(super) full: Option<QuotaLimit>,
    /// The outcome of an acquisition is unknown: the key may be the worker's.
    pub(super) unsure: bool,
    /// A save whose outcome is unknown.
    pub(super) in_doubt: Option<Box<PendingSave<D>>>,
    /// How many events came without a number.
    pub(super) arrivals: u64,
}

/// What the owner of a key knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ownership {
    pub(super) fence: Fence,
    /// The fence under which the store's body was saved, as the last answer says.
    pub(super) body_fence: Fence,
    /// As the last answer says, with what the owner has decided since.
    pub(super) state: KeyState,
    /// Where the store lists the key.
    pub(super) listing: Listing,
    /// The store has lost an epoch that the worker knows of: the next save begins it again.
    pub(super) lost_epoch: Option<Watermark>,
    /// The state is not what the store has.
    pub(super) dirty: bool,
    /// A run has begun under this fence, or under one before it without a break.
    pub(super) began: bool,
    /// Up to this seq events run alone and strictly: one of them may be what a run failed of, or a worker died of.
    pub(super) serial_until: u64,
    /// Somebody wants the key.
    pub(super) hand_over: bool,
    /// It may be over: the lease had ended, or a call was not answered. Nothing begins until the store has granted the
    /// key anew.
    pub(super) uncertain: bool,
    /// How much of the mail the state accounts for.
    pub(super) mail: usize,
    /// When the store told the mail last: what was posted later is not known.
    pub(super) told_at: Millis,
    /// The last seq of the state that is on its way to the store.
    pub(super) tip: u64,
    /// How many commits are on their way.
    pub(super) committing: usize,
    /// Nothing begins before the answer to the request that is under way: it may give the key up.
    pub(super) closed: bool,
    /// The death of the owner before is counted, and the store does not know. Nothing begins before it does: an event
    /// that kills at once would never be counted, and others would be blamed.
    pub(super) death_unsaved: bool,
    /// The head is on trial, and the store knows.
    pub(super) trial_saved: bool,
    /// Commits above this seq are known by `ids`.
    pub(super) known_from: u64,
    /// The last seq as the store has it, where the head was chosen beyond that.
    pub(super) saved_seq: Option<u64>,
    /// What was posted without a number, with the numbers that the next save gives it.
    pub(super) moves: Vec<Moved>,
    /// The ids that were committed above `known_from`.
    pub(super) ids: HashSet<EventId, foldhash::quality::RandomState>,
}

impl<D> Actor<D> {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            ownership: None,
            queue: Queue::default(),
            controls: Vec::new(),
            pending: false,
            lapsed: false,
            queued: false,
            in_ready_queue: false,
            claimed: false,
            adopting: false,
            busy: false,
            asleep: false,
            failure: None,
            waiting: None,
            waiting_deliveries: 0,
            run: None,
            hold_overflow: false,
            full: None,
            unsure: false,
            in_doubt: None,
            arrivals: 0,
        }
    }

    /// Whether it has nothing to do any more.
    pub(super) fn is_over(&self) -> bool {
        self.ownership.is_none()
            && !self.pending
            && !self.claimed
            && !self.adopting
            && self.queue.is_empty()
            && self.controls.is_empty()
            && !self.is_in_doubt()
    }

    /// While draining, what the broker still waits for goes back to it, unless the store has to be told something.
    pub(super) fn leave_to_broker(&mut self, shared: &Shared<D>) {
        let is_free = self.ownership.is_none() && !self.is_in_doubt() && !self.adopting;
        if shared.draining && is_free {
            drop(self.queue.take_all());
            self.controls.clear();
            self.claimed = false;
        }
    }

    /// Whether it is unknown what the store has made of the last request.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.unsure || self.in_doubt.is_some()
    }

    /// Whether only the owner of the key can decide about what is here: it cannot be posted.
    pub(super) fn needs_owner(&self) -> bool {
        !self.controls.is_empty() || self.queue.iter().any(|event| event.epoch.is_some())
    }

    /// Adds an event. Another one with the same seq in memory was there first, and this one is in conflict with it.
    pub(super) fn add(&mut self, shared: &mut Shared<D>, event: Box<Event<D>>) {
        let deliveries = event.tokens.len();
        let id = event.id.clone();
        let seq = event.seq;
        let stored = event.is_stored();
        match self.queue.add(event) {
            Added::New => {}
            Added::Known => {
                if deliveries > 0 {
                    let what = EventChange::Duplicate;
                    let key = self.key.clone();
                    shared.effects.push(Effect::Event { key, seq, id, what });
                }
            }
            Added::Taken(event) if stored => {
                // The mailbox has the older claim; what was delivered is compared with it again.
                let there = self
                    .queue
                    .take_waiting(|there| there.seq == seq && there.replay == event.replay);
                let recorded = event.id.clone();
                self.queue.add(event);
                for late in there {
                    if self.is_of_another_epoch(&late, None) {
                        self.defer(shared, late, DeferReason::NotYet);
                    } else {
                        self.settle_conflict(shared, late, Some(recorded.clone()));
                    }
                }
                return;
            }
            Added::Taken(event) => {
                let there = self.queue.get(seq).and_then(|there| there.epoch);
                if self.is_of_another_epoch(&event, there) {
                    return self.defer(shared, event, DeferReason::NotYet);
                }
                let recorded = self.queue.get(seq).map(|there| there.id.clone());
                self.settle_conflict(shared, event, recorded);
                return;
            }
        }
        if self.waiting.is_some() {
            shared.retry_waits.grow(deliveries);
            self.waiting_deliveries += deliveries;
        }
    }

    /// Puts an event back that was taken out of the queue. Another one that has come into its place meanwhile stays
    /// with the broker for a while: which of the two is right shows when this one is decided about.
    pub(super) fn put_back(&mut self, shared: &mut Shared<D>, event: Box<Event<D>>) {
        let Added::Taken(event) = self.queue.add(event) else {
            return;
        };
        let there = self
            .queue
            .take_waiting(|there| there.seq == event.seq && there.replay == event.replay);
        if there.is_empty() {
            return self.defer(shared, event, DeferReason::NotYet);
        }
        for other in there {
            self.defer(shared, other, DeferReason::NotYet);
        }
        self.queue.add(event);
    }

    /// Whether the event may belong to another epoch than the one in its place, which is of the key's present one where
    /// it does not say.
    fn is_of_another_epoch(&self, event: &Event<D>, there: Option<u64>) -> bool {
        let present = self.ownership.as_ref().map(|own| own.state.epoch);
        let there = there.or(present);
        event.epoch.is_some_and(|epoch| there != Some(epoch))
    }

    /// Ends the run that is under way: its outcome does not count.
    pub(super) fn stop_run(&mut self, shared: &mut Shared<D>) {
        if let Some(number) = self.run.take() {
            shared.running -= 1;
            let key = self.key.clone();
            shared.effects.push(Effect::Abort(RunId { key, number }));
        }
    }

    /// Ends the wait for the next attempt, if there is one.
    pub(super) fn end_wait(&mut self, shared: &mut Shared<D>) -> Option<Failure> {
        let failure = self.waiting.take()?;
        shared
            .retry_waits
            .end(std::mem::take(&mut self.waiting_deliveries));
        Some(failure)
    }

    /// The key is not the worker's any more. What the broker still waits for is asked about anew; what came from the
    /// mailbox is still there.
    pub(super) fn lose(&mut self, shared: &mut Shared<D>) {
        self.stop_run(shared);
        self.end_wait(shared);
        let begun: Vec<_> = self
            .queue
            .begun()
            .map(|event| (event.seq, event.id.clone()))
            .collect();
        for (seq, id) in begun {
            let (key, what) = (self.key.clone(), EventChange::Fenced);
            shared.effects.push(Effect::Event { key, seq, id, what });
        }
        self.failure = None;
        if let Some(own) = self.ownership.take().filter(|own| own.began) {
            // What ran under this fence may have shown it to a sink.
            let mark = own.watermark();
            let known = shared.watermarks.get(&self.key);
            let mark = known.map_or(mark, |known| known.join(mark));
            shared.watermarks.note(&self.key, mark);
        }
        for event in self.queue.forget_places() {
            self.put_back(shared, event);
        }
    }
}

impl<D: std::hash::Hash> std::hash::Hash for Actor<D> {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.key.hash(hasher);
        self.ownership.hash(hasher);
        self.queue.hash(hasher);
        self.controls.hash(hasher);
        (self.pending, self.queued, self.in_ready_queue, self.claimed).hash(hasher);
        (self.adopting, self.busy, self.asleep, self.hold_overflow).hash(hasher);
        (self.full, self.unsure, self.lapsed).hash(hasher);
        self.failure.hash(hasher);
        self.waiting.hash(hasher);
        self.waiting_deliveries.hash(hasher);
        self.run.hash(hasher);
        self.in_doubt.hash(hasher);
        self.arrivals.hash(hasher);
    }
}

impl std::hash::Hash for Ownership {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        (self.fence, self.body_fence).hash(hasher);
        self.state.hash(hasher);
        self.listing.hash(hasher);
        self.lost_epoch.hash(hasher);
        (self.dirty, self.began, self.hand_over, self.uncertain).hash(hasher);
        (self.serial_until, self.mail, self.tip, self.committing).hash(hasher);
        self.told_at.hash(hasher);
        (self.closed, self.death_unsaved, self.trial_saved).hash(hasher);
        (self.known_from, self.saved_seq).hash(hasher);
        self.moves.hash(hasher);
        let mut ids: Vec<&EventId> = self.ids.iter().collect();
        ids.sort_unstable();
        ids.hash(hasher);
    }
}

impl Ownership {
    /// How far the worker knows the key to be. A fence that nothing ran or was saved under was shown to nobody: the
    /// store may give it again.
    pub(super) fn watermark(&self) -> Watermark {
        let shown = if self.began {
            self.fence
        } else {
            self.body_fence
        };
        let mark = Watermark::of(&self.state, shown);
        Watermark {
            last_seq: self.saved_seq.unwrap_or(mark.last_seq),
            ..mark
        }
    }

    /// Whether the id of an event is remembered, as far as that is known.
    pub(super) fn has_seen<D>(&self, event: &Event<D>) -> Option<bool> {
        if self.ids.contains(&event.id) {
            Some(true)
        } else {
            event.seen
        }
    }

    /// Whether the key is to be given up, since somebody wants it and the owner has run something.
    pub(super) fn is_wanted(&self) -> bool {
        self.hand_over && self.began
    }
}
