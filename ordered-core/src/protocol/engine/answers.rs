//! What a key makes of the answers of the store.

use std::time::Duration;

use super::actor::{Actor, Ownership};
use super::effect::{Deferral, Disposition, Effect, EventChange, KeyChange};
use super::event::{Event, Tokens};
use super::pending::{Failure, Leaving, PendingAcquire, PendingKind, PendingSave, PutFor};
use super::shared::Shared;
use super::watermark::Watermark;
use crate::protocol::{Fence, QuotaLimit};
use crate::protocol::{HeldNote, KeyState, Transition, stored_event};
use crate::store::{Answer, Busy, Letter, Listing, Owned, Posted, Previous, Saved, Slot};

/// After how long a key is asked for again that only its owner can decide about.
const HAND_OVER: Duration = Duration::from_millis(50);
/// After how long a key is asked for again when the worker had no lease.
const NO_LEASE: Duration = Duration::from_millis(100);
/// How many ids of its own commits an owner remembers; beyond that they are looked up again.
const KNOWN_IDS: usize = 1_024;
/// After how long at the most a key is asked for again that was given with too low a fence.
const LONGEST_FENCE_WAIT: Duration = Duration::from_secs(1);

impl<D: Default> Actor<D> {
    /// Takes the answer to the request that is under way.
    pub(super) fn answer(
        &mut self,
        shared: &mut Shared<D>,
        pending: PendingKind<D>,
        answer: Answer,
    ) {
        self.pending = false;
        match (pending, answer) {
            (PendingKind::Acquire(pending), Answer::Owned(owned)) => {
                self.on_owned(shared, &pending, *owned);
            }
            (PendingKind::Acquire(pending), Answer::Busy(busy)) => {
                self.on_busy(shared, &pending, *busy);
            }
            (PendingKind::Acquire(_), Answer::NoLease) => {
                self.asleep = true;
                shared.wake(&self.key, NO_LEASE);
            }
            (PendingKind::Acquire(_), _) => self.unsure = true,
            (PendingKind::Save(pending), Answer::Saved(saved)) => {
                self.on_saved(shared, *pending, saved);
            }
            (PendingKind::Save(pending), Answer::Full(limit)) => {
                self.on_full(shared, *pending, limit);
            }
            (PendingKind::Save(pending), Answer::Lost) => {
                self.requeue(shared, *pending);
                self.lose(shared);
                self.end_trial(shared);
            }
            (PendingKind::Save(pending), _) => {
                if let Some(own) = &mut self.ownership {
                    own.uncertain = true;
                }
                self.in_doubt = Some(pending);
            }
        }
        if std::mem::take(&mut self.lapsed)
            && let Some(own) = &mut self.ownership
        {
            own.uncertain = true;
        }
    }

    fn on_owned(&mut self, shared: &mut Shared<D>, pending: &PendingAcquire, owned: Owned) {
        let was = self.ownership.take();
        let doubt = self.in_doubt.take();
        (self.busy, self.unsure) = (false, false);
        let first_seq = shared.rules.policy.first_seq;
        let decoded = match &owned.body {
            None => Ok(KeyState::new(first_seq)),
            Some(body) => KeyState::decode(body, owned.body_fence),
        };
        let (state, unreadable) = match decoded {
            Ok(state) => (state, None),
            Err(error) => (KeyState::new(first_seq), Some(error.to_string())),
        };
        let listing = match &owned.body {
            Some(_) => state.listing(&shared.rules.policy, Listing::default(), shared.now),
            None => Listing::default(),
        };
        let was_at = was.as_ref().map(Ownership::watermark);
        let marks = shared.watermarks.get(&self.key).into_iter().chain(was_at);
        let knew = marks.reduce(Watermark::join);
        let saved_fence = was.as_ref().map_or(Fence(0), |own| own.fence);
        let carried_out = doubt.as_ref().is_some_and(|save| {
            save.body.is_some() && owned.body == save.body && owned.body_fence == saved_fence
        });
        let knows_body = was
            .as_ref()
            .is_some_and(|own| own.body_fence == owned.body_fence);
        let unbroken = match owned.previous {
            // An acquisition without an answer may have come between, and another owner before that.
            Previous::Myself => knows_body || carried_out,
            // The store forgot everything, and nobody else has had the key since.
            Previous::Nobody => owned.body.is_none(),
            Previous::Died(_) | Previous::Other(_) => false,
        };
        let continues = was.is_some() && unbroken && unreadable.is_none();
        let (began, serial_until) = was
            .filter(|_| continues)
            .map_or((false, 0), |own| (own.began, own.serial_until));
        let mut own = Ownership::new(&owned, state, listing);
        (own.began, own.serial_until) = (began, serial_until);
        self.ownership = Some(own);
        if owned.body.is_none() {
            // What lay in the mailbox is gone with the state.
            self.queue.forget_stored();
        }
        if let Some(save) = doubt {
            if carried_out {
                self.settle_in_doubt(shared, *save);
            } else if continues {
                self.undo(shared, *save);
            } else {
                self.requeue(shared, *save);
            }
        }
        if !continues {
            let own = self.ownership.take();
            self.lose(shared);
            self.ownership = own;
        }
        if let Some(error) = unreadable {
            return self.give_up_unreadable(shared, error);
        }
        self.note_previous(shared, &owned);
        self.correct(shared, knew);
        self.wait_for_fence(shared, knew);
        self.queue.forget_seen();
        self.queue.note_seen(&pending.looked_up, &owned.seen);
        let is_tried = shared.quarantine.is_on_trial(&self.key);
        if let Some(own) = &mut self.ownership {
            own.trial_saved = own.state.on_trial && is_tried;
        }
    }

    /// Takes in the mail, and what the previous owner left.
    fn note_previous(&mut self, shared: &mut Shared<D>, owned: &Owned) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        let rules = std::sync::Arc::clone(&shared.rules);
        let mut transition = Transition::new(&mut own.state, &rules.policy, shared.now);
        owned.mail.iter().for_each(|seq| transition.posted(*seq));
        own.mail = owned.mail.len();
        own.dirty |= own.mail > 0;
        if let Previous::Died(worker) = &owned.previous
            && !worker.is_operator()
        {
            let was_halted = transition.state.is_blocked();
            transition.owner_died(worker.as_str());
            own.dirty = true;
            own.serial_until = own.state.last_seq + rules.reach();
            if let Some(last) = &own.state.last_error
                && !was_halted
                && own.state.is_blocked()
            {
                let (seq, error) = (own.state.head(), last.error.clone());
                shared.observe_key(&self.key, KeyChange::Crashed { seq, error });
            }
        }
        own.tip = own.state.last_seq;
        own.known_from = own.state.last_seq;
    }

    /// Where the store knows less of the key than the worker does, it lost state, and the key is set right.
    fn correct(&mut self, shared: &mut Shared<D>, knew: Option<Watermark>) {
        let (Some(own), Some(mark)) = (&mut self.ownership, knew) else {
            return;
        };
        let found = own.state.last_seq;
        if !mark.is_beyond(&own.state) {
            return;
        }
        if mark.epoch > own.state.epoch {
            // What is held belongs to an older one, and leaves the mailbox with the next save.
            own.lost_epoch = Some(mark);
        } else {
            own.state.correct(mark.epoch, mark.last_seq);
        }
        own.dirty = true;
        own.tip = own.state.last_seq;
        own.known_from = own.state.last_seq;
        let known = mark.last_seq;
        shared.observe_key(&self.key, KeyChange::Corrected { found, known });
    }

    /// A sink that has seen a higher fence refuses what runs under this one: nothing begins before the store gives a higher
    /// one, which it does when its clock is past it.
    fn wait_for_fence(&mut self, shared: &mut Shared<D>, knew: Option<Watermark>) {
        let (Some(own), Some(mark)) = (&mut self.ownership, knew) else {
            return;
        };
        let Some(behind) = mark.fence.checked_sub(own.fence.0) else {
            return;
        };
        own.uncertain = true;
        self.asleep = true;
        shared.watermarks.note(&self.key, mark);
        let wait = Duration::from_micros(behind.saturating_add(1));
        shared.wake(&self.key, wait.min(LONGEST_FENCE_WAIT));
        let (given, known) = (own.fence, Fence(mark.fence));
        shared.observe_key(&self.key, KeyChange::FenceFell { given, known });
    }

    /// The body cannot be read: the key is given back as it is, and its events stay with the broker for a while.
    fn give_up_unreadable(&mut self, shared: &mut Shared<D>, error: String) {
        shared.observe_key(&self.key, KeyChange::Unreadable(error));
        (self.claimed, self.adopting) = (false, false);
        for event in self.queue.take_all() {
            self.defer(shared, event, Deferral::Unreadable);
        }
        for (_, token) in std::mem::take(&mut self.controls) {
            shared.effects.push(Effect::SettleControl {
                token,
                deferred: Some(Deferral::Unreadable),
            });
        }
    }

    fn on_busy(&mut self, shared: &mut Shared<D>, pending: &PendingAcquire, busy: Busy) {
        if let Some(save) = self.in_doubt.take() {
            self.requeue(shared, *save);
        }
        if self.ownership.is_some() {
            self.lose(shared);
        }
        self.end_trial(shared);
        self.busy = true;
        self.unsure = false;
        self.claimed = false;
        for ((seq, id), posted) in pending.posted.iter().zip(busy.posted) {
            let is_it = |event: &Event<D>| event.seq == *seq && event.id == *id;
            let taken = self.queue.take_waiting(is_it);
            for event in taken {
                self.on_posted(shared, event, posted.clone());
            }
        }
        if self.needs_owner() || self.adopting {
            self.asleep = true;
            shared.wake(&self.key, HAND_OVER);
        }
    }

    fn on_posted(&self, shared: &mut Shared<D>, event: Event<D>, posted: Posted) {
        match posted {
            Posted::Stored => {
                let waiting = crate::protocol::Waiting {
                    for_seq: event.seq,
                    why: crate::protocol::Obstacle::Running,
                };
                shared.observe(&self.key, &event, EventChange::Held(waiting));
                self.settle(shared, event, Disposition::Held);
            }
            Posted::Known => {
                shared.observe(&self.key, &event, EventChange::Duplicate);
                self.settle(shared, event, Disposition::Duplicate);
            }
            Posted::Taken(recorded) => self.settle_conflict(shared, event, Some(recorded)),
            Posted::Full(limit) => self.defer(shared, event, Deferral::Full(limit)),
        }
    }

    fn on_saved(&mut self, shared: &mut Shared<D>, mut save: PendingSave<D>, saved: Saved) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        let moved = Watermark::of(&save.next, own.fence) != own.watermark();
        if save.body.is_some() {
            own.body_fence = own.fence;
        }
        own.state = save.next.clone();
        own.listing = save.listing;
        own.lost_epoch = None;
        own.dirty = false;
        own.committing = 0;
        own.closed = false;
        own.trial_saved = own.state.on_trial;
        own.hand_over |= saved.hand_over;
        own.tip = own.state.last_seq;
        let rules = std::sync::Arc::clone(&shared.rules);
        let mut transition = Transition::new(&mut own.state, &rules.policy, shared.now);
        saved.mail.iter().for_each(|seq| transition.posted(*seq));
        own.mail = saved.mail.len();
        own.dirty |= own.mail > 0;
        if moved {
            let mark = Watermark::of(&own.state, own.fence);
            shared.watermarks.note(&self.key, mark);
        }
        if own.ids.len() > KNOWN_IDS {
            own.ids.clear();
            own.known_from = own.state.last_seq;
            self.queue.forget_seen();
        } else {
            self.queue.note_seen(&save.looked_up, &saved.seen);
        }
        let failure = save.failure.take();
        let fetched = std::mem::take(&mut save.fetched);
        let is_retry = save.leaving.iter().all(|(_, how)| !is_end_of_failure(how));
        self.settle_saved(shared, save, failure.as_ref(), saved.puts);
        self.on_letters(shared, &fetched, saved.letters);
        if saved.released {
            self.ownership = None;
        } else if let Some(failure) = failure.filter(|_| is_retry) {
            self.begin_wait(shared, failure);
        }
        (self.claimed, self.adopting) = (false, false);
        self.end_trial(shared);
    }

    /// The worker keeps the key until the next attempt.
    fn begin_wait(&mut self, shared: &mut Shared<D>, failure: Failure) {
        let event = if failure.replay {
            self.queue.get_replay(failure.seq)
        } else {
            self.queue.get(failure.seq)
        };
        if let Some(event) = event {
            let what = retrying(&failure);
            shared.observe(&self.key, event, what);
        }
        let wait = failure.wait;
        let failure = Some(Failure {
            saved: true,
            ..failure
        });
        let deliveries = self.queue.unsettled();
        let rules = &shared.rules;
        if !shared
            .retry_waits
            .has_room(deliveries, rules.concurrency, rules.read_ahead)
        {
            // Others began to wait since this was planned: it goes on waiting in the store.
            self.failure = failure;
            return;
        }
        self.waiting = failure;
        self.waiting_deliveries = deliveries;
        shared.retry_waits.begin(deliveries);
        shared.wake(&self.key, wait);
    }

    /// Settles what a save was for, which was carried out.
    fn settle_saved(
        &mut self,
        shared: &mut Shared<D>,
        save: PendingSave<D>,
        failure: Option<&Failure>,
        puts: Vec<Posted>,
    ) {
        for event in save.committed {
            let what = EventChange::Committed {
                repeat: event.is_repeat(),
                received_at: event.received_at,
                published_at: event.envelope.published_at,
                held_since: event.held_since,
            };
            shared.observe(&self.key, &event, what);
            self.settle(shared, event, Disposition::Committed);
        }
        for (control, token) in save.controls {
            shared.effects.push(Effect::SettleControl {
                token,
                deferred: None,
            });
            shared.observe_key(&self.key, KeyChange::Controlled(control));
        }
        let mut outcomes: Vec<Option<Posted>> = save.leaving.iter().map(|_| None).collect();
        for (whose, posted) in save.puts.into_iter().zip(puts) {
            match whose {
                PutFor::Leaving(index) => outcomes[index] = Some(posted),
                PutFor::Staying(seq) => self.on_stored(shared, seq, posted),
            }
        }
        let waiting = self.obstacle(&save.next, shared);
        for ((event, how), posted) in save.leaving.into_iter().zip(outcomes) {
            match (how, posted) {
                // It ran, but another event has been in its place in the mailbox.
                (Leaving::As(_), Some(Posted::Taken(recorded))) => {
                    self.settle_conflict(shared, event, Some(recorded));
                }
                (Leaving::As(disposition), _) => {
                    self.observe_end(shared, &event, &disposition, failure);
                    self.settle(shared, event, disposition);
                }
                (Leaving::Held, Some(Posted::Stored) | None) => {
                    shared.observe(&self.key, &event, EventChange::Held(waiting));
                    self.settle(shared, event, Disposition::Held);
                }
                (_, Some(posted)) => self.on_posted(shared, event, posted),
                (Leaving::Compared, None) => {}
                (Leaving::Stored, None) => self.settle(shared, event, Disposition::Held),
            }
        }
    }

    /// The event is in the mailbox now, and stays in memory for its turn.
    fn on_stored(&mut self, shared: &mut Shared<D>, seq: u64, posted: Posted) {
        if let Posted::Taken(recorded) = posted {
            for event in self
                .queue
                .take_waiting(|event| event.seq == seq && !event.replay)
            {
                self.settle_conflict(shared, event, Some(recorded.clone()));
            }
            return;
        }
        let (now, waiting) = (shared.now, self.waiting.is_some());
        let mut events = self.queue.iter_mut();
        let Some(event) = events.find(|event| event.seq == seq && !event.replay) else {
            return;
        };
        event.held_since = Some(now);
        let tokens = std::mem::take(&mut event.tokens);
        let id = event.id.clone();
        if waiting {
            let gone = tokens.len().min(self.waiting_deliveries);
            self.waiting_deliveries -= gone;
            shared.retry_waits.shrink(gone);
        }
        if !tokens.is_empty() {
            shared.effects.push(Effect::Settle {
                key: self.key.clone(),
                seq,
                id,
                tokens,
                disposition: Disposition::Held,
                stored: false,
            });
        }
    }

    fn observe_end(
        &self,
        shared: &mut Shared<D>,
        event: &Event<D>,
        disposition: &Disposition,
        failure: Option<&Failure>,
    ) {
        let what = match (disposition, failure) {
            (Disposition::Halted, Some(failure)) => EventChange::Halted {
                attempts: failure.attempt,
                error: failure.error.clone(),
            },
            (Disposition::DeadLettered, Some(failure)) => EventChange::DeadLettered {
                attempts: failure.attempt,
                error: failure.error.clone(),
            },
            // Of one that waited already this was observed when the wait began.
            (Disposition::Postponed, Some(failure)) if !failure.saved => retrying(failure),
            (Disposition::Duplicate, _) => EventChange::Duplicate,
            (Disposition::Stale, _) => EventChange::Stale,
            (Disposition::Late, _) => EventChange::Late,
            (Disposition::Conflict(recorded), _) => EventChange::Conflict(recorded.clone()),
            _ => return,
        };
        shared.observe(&self.key, event, what);
    }

    /// Puts what was fetched into the queue.
    fn on_letters(&mut self, shared: &mut Shared<D>, slots: &[Slot], letters: Vec<Option<Letter>>) {
        let mut first = self.claimed;
        for (slot, letter) in slots.iter().zip(letters) {
            let Some(event) = letter.and_then(|letter| self.fetched_event(*slot, letter)) else {
                self.missing(shared, *slot);
                continue;
            };
            if std::mem::take(&mut first)
                && let Some(own) = &self.ownership
            {
                let what = EventChange::TakenOver {
                    attempt: own.state.next_attempt(),
                    fence: own.fence,
                };
                shared.observe(&self.key, &event, what);
            }
            self.add(shared, event);
        }
    }

    fn fetched_event(&self, slot: Slot, letter: Letter) -> Option<Event<D>> {
        let own = self.ownership.as_ref()?;
        let envelope = stored_event(&letter).ok()?;
        let (seq, replay) = match slot {
            Slot::Held(seq) => (seq, false),
            Slot::Dead { seq, .. } => (seq, true),
        };
        let note = HeldNote::decode(&letter.note);
        // Nothing was committed since the id was looked up but what this owner knows.
        let is_known = !replay && note.checked.is_some_and(|seq| seq >= own.known_from);
        let seen = is_known.then(|| own.ids.contains(&letter.id));
        Some(Event {
            seq,
            epoch: None,
            envelope,
            data: D::default(),
            tokens: Tokens::default(),
            received_at: 0,
            redelivered: false,
            held_since: Some(if replay { 0 } else { note.since }),
            seen: if replay { Some(false) } else { seen },
            replay,
            id: letter.id,
        })
    }

    fn missing(&mut self, shared: &mut Shared<D>, slot: Slot) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        let rules = std::sync::Arc::clone(&shared.rules);
        Transition::new(&mut own.state, &rules.policy, shared.now).forget_missing(slot);
        own.dirty = true;
        let (Slot::Held(seq) | Slot::Dead { seq, .. }) = slot;
        shared.observe_key(&self.key, KeyChange::Missing { seq });
    }

    /// A quota had no room. What it was for stays with the broker, and the rest is said again.
    fn on_full(&mut self, shared: &mut Shared<D>, save: PendingSave<D>, limit: QuotaLimit) {
        let held: Vec<u64> = save
            .leaving
            .iter()
            .filter(|(_, how)| *how == Leaving::Held)
            .map(|(event, _)| event.seq)
            .collect();
        self.undo(shared, save);
        self.full = Some(limit);
        let head = self.ownership.as_ref().map_or(0, |own| own.state.head());
        let refused = self
            .queue
            .take_waiting(|event| event.seq != head && held.contains(&event.seq));
        for event in refused {
            self.defer(shared, event, Deferral::Full(limit));
        }
    }

    /// Takes back a save that was not carried out, while the key is still the worker's.
    fn undo(&mut self, shared: &mut Shared<D>, save: PendingSave<D>) {
        if let Some(own) = &mut self.ownership {
            own.closed = false;
            own.committing = 0;
            own.tip = own.state.last_seq;
        }
        self.queue.put_back_done(save.committed);
        for (event, _) in save.leaving {
            self.put_back(shared, event);
        }
        self.failure = save.failure;
        self.controls.splice(0..0, save.controls);
    }

    /// Takes back a save when the key may be another worker's: what the broker still waits for is asked about anew.
    fn requeue(&mut self, shared: &mut Shared<D>, save: PendingSave<D>) {
        let leaving = save.leaving.into_iter().map(|(event, _)| event);
        for mut event in save.committed.into_iter().chain(leaving) {
            if !event.tokens.is_empty() {
                event.seen = None;
                event.held_since = None;
                event.replay = false;
                self.put_back(shared, event);
            }
        }
        self.controls.splice(0..0, save.controls);
    }

    /// A save of unknown outcome was carried out. What became of each put is not known: those events are asked about anew.
    fn settle_in_doubt(&mut self, shared: &mut Shared<D>, mut save: PendingSave<D>) {
        let (mut puts, mut leaving) = (Vec::new(), Vec::new());
        for (place, (event, how)) in save.leaving.into_iter().enumerate() {
            if save.puts.contains(&PutFor::Leaving(place)) {
                puts.push((event, how));
            } else {
                leaving.push((event, how));
            }
        }
        save.leaving = leaving;
        save.puts.clear();
        let failure = save.failure.take();
        let mut all = save.leaving.iter().chain(&puts);
        let ended = all.any(|(_, how)| is_end_of_failure(how));
        self.settle_saved(shared, save, failure.as_ref(), Vec::new());
        if let Some(failure) = failure.clone().filter(|_| !ended) {
            self.begin_wait(shared, failure);
        }
        for (mut event, how) in puts {
            if let Leaving::As(disposition) = how {
                self.observe_end(shared, &event, &disposition, failure.as_ref());
            }
            if !event.tokens.is_empty() {
                event.seen = None;
                self.put_back(shared, event);
            }
        }
    }

    /// The trial of the key is over once the store knows that it is not on trial any more.
    pub(super) fn end_trial(&mut self, shared: &mut Shared<D>) {
        if !shared.quarantine.is_on_trial(&self.key) {
            return;
        }
        let goes_on = self
            .ownership
            .as_ref()
            .is_some_and(|own| own.state.on_trial);
        if !goes_on {
            let next = shared.quarantine.end(&self.key);
            shared.claims.extend(next);
        }
    }
}

fn is_end_of_failure(how: &Leaving) -> bool {
    matches!(
        how,
        Leaving::As(Disposition::Halted | Disposition::DeadLettered | Disposition::Postponed)
    )
}

fn retrying(failure: &Failure) -> EventChange {
    EventChange::Retrying {
        attempt: failure.attempt,
        error: failure.error.clone(),
        wait: failure.wait,
    }
}

impl Ownership {
    fn new(owned: &Owned, state: KeyState, listing: Listing) -> Self {
        Self {
            fence: owned.fence,
            body_fence: owned.body_fence,
            listing,
            lost_epoch: None,
            dirty: false,
            began: false,
            serial_until: 0,
            hand_over: false,
            uncertain: false,
            mail: 0,
            tip: state.last_seq,
            committing: 0,
            closed: false,
            trial_saved: false,
            known_from: state.last_seq,
            ids: Default::default(),
            state,
        }
    }
}
