//! What a key says to the store next.

use std::sync::Arc;

use super::actor::{Actor, Ownership, following};
use super::effect::{Deferral, Disposition, Effect};
use super::event::Event;
use super::pending::{Failure, Leaving, PendingAcquire, PendingKind, PendingSave, PutFor};
use super::shared::{Rules, Shared};
use super::watermark::Adoption;
use crate::event::EventId;
use crate::handler::OnExhausted;
use crate::protocol::{DeadCause, QuotaLimit};
use crate::protocol::{FailedRun, HeldNote, KeyState, Placement, Transition};
use crate::store::{Acquire, AcquireMode, Change, Letter, PutMode, Request, Save, Slot};
use crate::transport::Token;
use crate::worker::Control;

/// How many letters one acquisition posts at the most.
const LETTERS: usize = 64;
/// After how many bytes no more letters go into one acquisition.
const LETTER_BYTES: usize = 1 << 20;

impl<D> Actor<D> {
    /// What to say next, with what its answer is for.
    pub(super) fn request(&mut self, shared: &mut Shared<D>) -> Option<(Request, PendingKind<D>)> {
        match &self.ownership {
            Some(own) if !own.uncertain => self.save(shared),
            _ => self.acquire(shared),
        }
    }

    fn acquire(&mut self, shared: &Shared<D>) -> Option<(Request, PendingKind<D>)> {
        let is_known = self.ownership.is_some() || self.is_in_doubt();
        let wants = is_known
            || self.adopting
            || !shared.draining
                && (self.claimed || !self.queue.is_empty() || !self.controls.is_empty());
        if !wants || self.asleep || !self.has_its_turn(shared) {
            return None;
        }
        let needs_owner = self.needs_owner();
        let mode = if self.busy && (needs_owner || self.adopting) {
            AcquireMode::HandOver
        } else {
            AcquireMode::Ask
        };
        let letters = if self.busy && !needs_owner && !is_known {
            self.letters(shared)
        } else {
            Vec::new()
        };
        let events = self.queue.iter().take(shared.rules.depth());
        let looked_up: Vec<_> = events.map(|event| (event.seq, event.id.clone())).collect();
        let look_up = looked_up.iter().map(|(_, id)| id.clone()).collect();
        let posted = letters
            .iter()
            .map(|(seq, letter)| (*seq, letter.id.clone()));
        let posted = posted.collect();
        let letters = letters.into_iter();
        let request = Acquire {
            key: self.key.clone(),
            mode,
            letters: letters
                .map(|(seq, letter)| (Slot::Held(seq), letter))
                .collect(),
            look_up,
        };
        let pending = PendingAcquire { looked_up, posted };
        Some((Request::Acquire(request), PendingKind::Acquire(pending)))
    }

    /// Whether the key may be asked for at this step of an adoption.
    fn has_its_turn(&self, shared: &Shared<D>) -> bool {
        let is_owned = self.ownership.is_some() || self.in_doubt.is_some();
        match shared.adoption {
            Adoption::Over => true,
            Adoption::Owned => is_owned,
            Adoption::Remembered => is_owned || shared.watermarks.get(&self.key).is_some(),
        }
    }

    fn letters(&self, shared: &Shared<D>) -> Vec<(u64, Letter)> {
        let mut bytes = 0;
        let has_room = |event: &&Event<D>| {
            let room = bytes < LETTER_BYTES;
            bytes += event.size();
            room
        };
        let events = self.queue.iter().take(LETTERS).take_while(has_room);
        events
            .map(|event| (event.seq, letter(event, shared.now, None)))
            .collect()
    }

    fn save(&mut self, shared: &mut Shared<D>) -> Option<(Request, PendingKind<D>)> {
        self.settle_past(shared);
        if self.waiting.is_some() && self.gives_way(shared) {
            self.failure = self.end_wait(shared);
        }
        let rules = Arc::clone(&shared.rules);
        let mut next = self.ownership.as_ref()?.state.clone();
        let mut plan = Plan::new(Transition::new(&mut next, &rules.policy, shared.now));
        self.plan_lost_epoch(&mut plan);
        self.note_arrived(&mut plan);
        self.plan_commits(&mut plan);
        self.plan_failure(&mut plan, shared);
        self.plan_controls(&mut plan, shared);
        self.plan_past(&mut plan, &rules);
        let blocked = self.plan_head(&mut plan, shared);
        if blocked && self.queue.running() == 0 {
            self.plan_park(&mut plan, shared);
        } else {
            self.plan_chain(&mut plan, shared);
        }
        self.full = None;
        self.plan_reads(&mut plan, &rules, blocked);
        let Plan { transition, parts } = plan;
        let Transition {
            changes, remember, ..
        } = transition;
        self.finish_plan(next, (changes, remember), parts, shared)
    }

    /// What is here although it was said that it will never come is handled in its place.
    fn note_arrived(&self, plan: &mut Plan<'_, D>) {
        let transition = &mut plan.transition;
        if transition.state.absent.is_empty() {
            return;
        }
        let epoch = transition.state.epoch;
        let here = self
            .queue
            .iter()
            .filter(|event| !event.replay && event.is_of(epoch));
        for event in here {
            // One that an operator took out stays out.
            if !transition.state.is_dead(event.seq) {
                transition.arrived(event.seq);
            }
        }
    }

    /// Whether it may not keep the key for the next attempt. Where somebody wants the key, the owner still runs something
    /// first if it can, so that two that both want it do not only pass it to each other.
    fn gives_way(&self, shared: &Shared<D>) -> bool {
        let is_wanted = |own: &Ownership| {
            let state = &own.state;
            let is_here = !state.replays.is_empty()
                || state.held.contains(state.head())
                || self.queue.get(state.head()).is_some();
            own.hand_over && (own.began || !is_here)
        };
        self.ownership.as_ref().is_some_and(is_wanted)
            || shared.paused
            || shared.draining
            || !self.controls.is_empty()
    }

    fn plan_commits(&mut self, plan: &mut Plan<'_, D>) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        for event in self.queue.take_done() {
            plan.transition.commit(event.subject());
            own.ids.insert(event.id.clone());
            plan.parts.committed.push(event);
        }
    }

    /// The run of the first event failed, alone.
    fn plan_failure(&mut self, plan: &mut Plan<'_, D>, shared: &Shared<D>) {
        let Some(failure) = self.failure.take() else {
            return;
        };
        let Some(event) = self.queue.take_one(failure.replay, failure.seq) else {
            return;
        };
        let (rules, transition) = (&shared.rules, &mut plan.transition);
        let run = FailedRun {
            event: event.subject(),
            envelope: &event.envelope,
            attempt: failure.attempt,
            error: &failure.error,
            worker: &rules.worker,
        };
        let deliveries = self.queue.unsettled() + event.tokens.len();
        let keeps = failure.wait <= rules.own_backoff
            && !self.gives_way(shared)
            && shared
                .retry_waits
                .has_room(deliveries, rules.concurrency, rules.read_ahead);
        let leaving = if failure.saved {
            transition.postpone_again(run, failure.wait);
            Some(Disposition::Postponed)
        } else if failure.permanent || transition.is_last_attempt(run.event) {
            match rules.on_exhausted {
                OnExhausted::Halt => {
                    transition.halt(run);
                    Some(Disposition::Halted)
                }
                OnExhausted::DeadLetter => {
                    transition.dead_letter(run);
                    if let Some(own) = &mut self.ownership {
                        own.ids.insert(event.id.clone());
                    }
                    Some(Disposition::DeadLettered)
                }
            }
        } else if keeps {
            transition.retry(run);
            None
        } else {
            transition.postpone(run, failure.wait);
            Some(Disposition::Postponed)
        };
        plan.puts_are(PutFor::Leaving(plan.parts.leaving.len()));
        plan.parts.failure = Some(failure);
        match leaving {
            Some(disposition) => plan.parts.leaving.push((event, Leaving::As(disposition))),
            None => drop(self.queue.add(event)),
        }
    }

    fn plan_controls(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) {
        if self.controls.is_empty() || self.queue.running() > 0 {
            return;
        }
        let epoch = plan.transition.state.epoch;
        for (control, token) in std::mem::take(&mut self.controls) {
            let here = self.queue.iter().map(|event| event.seq);
            let done = match &control {
                Control::GapFill { from, to } => plan.transition.fill(from.get(), to.get(), here),
                Control::Reset { at, epoch } => {
                    shared.watermarks.forget(&self.key);
                    plan.transition.reset(at.get(), *epoch, here)
                }
            };
            if done {
                plan.parts.controls.push((control, token));
            } else {
                let why = Deferral::Full(QuotaLimit::KeyEvents);
                shared.effects.push(Effect::SettleControl {
                    token,
                    deferred: Some(why),
                });
            }
        }
        if plan.transition.state.epoch != epoch {
            self.leave_old_epoch(plan);
        }
    }

    /// What was held of the old epoch is a dead letter now.
    fn leave_old_epoch(&mut self, plan: &mut Plan<'_, D>) {
        let stored = self
            .queue
            .take_waiting(|event| event.is_stored() || event.replay);
        let leaving = stored.into_iter().map(|event| (event, Leaving::Stored));
        plan.parts.leaving.extend(leaving);
    }

    /// Begins an epoch again that the store has lost.
    fn plan_lost_epoch(&mut self, plan: &mut Plan<'_, D>) {
        let own = self.ownership.as_ref();
        if let Some(mark) = own.and_then(|own| own.lost_epoch) {
            let next = mark.last_seq + 1;
            plan.transition.reset(next, Some(mark.epoch), []);
            self.leave_old_epoch(plan);
        }
    }

    /// What came from the mailbox and lies behind the key is taken out there.
    fn plan_past(&mut self, plan: &mut Plan<'_, D>, rules: &Rules) {
        let Some(Ownership { ids, .. }) = &self.ownership else {
            return;
        };
        let last_seq = plan.transition.state.last_seq;
        let is_past = |event: &Event<D>| {
            event.seq <= last_seq && event.is_stored() && !event.replay && event.seen.is_some()
        };
        for event in self.queue.take_waiting(is_past) {
            let transition = &mut plan.transition;
            let (now, seq) = (transition.now, event.seq);
            let seen = event.seen == Some(true) || ids.contains(&event.id);
            let placement = transition.state.place(seq, None, seen, &rules.policy, now);
            let disposition = match placement {
                Placement::Late if rules.on_late == crate::handler::OnLate::DeadLetter => {
                    let error = "it came after its seq was skipped";
                    transition.dead_letter_held(seq, DeadCause::Late, error);
                    Disposition::Late
                }
                Placement::Conflict | Placement::Compare(_) => {
                    let error = "another event was committed under its seq";
                    transition.dead_letter_held(seq, DeadCause::Conflict, error);
                    Disposition::Conflict(None)
                }
                other => {
                    transition.remove_held(seq);
                    match other {
                        Placement::Late => Disposition::Late,
                        Placement::Stale => Disposition::Stale,
                        _ => Disposition::Duplicate,
                    }
                }
            };
            plan.parts.leaving.push((event, Leaving::As(disposition)));
        }
    }

    /// Brings the head up to date. Says whether nothing of the key may run.
    fn plan_head(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) -> bool {
        let transition = &mut plan.transition;
        transition.wake();
        transition.pass_absent();
        let head = transition.state.head();
        let is_here = |queue: &super::queue::Queue<D>, state: &KeyState, seq| {
            queue.get(seq).is_some() || state.held.contains(seq)
        };
        if !transition.state.is_blocked() && !is_here(&self.queue, transition.state, head) {
            transition.end_gap_if_over(&shared.rules.worker);
        }
        let blocked = transition.state.is_blocked() || self.gives_way(shared);
        if !transition.state.is_suspect() || self.queue.running() > 0 {
            return blocked;
        }
        let head = transition.state.head();
        if blocked || !is_here(&self.queue, transition.state, head) {
            transition.cancel_trial();
            return blocked;
        }
        if !shared.quarantine.admit(&self.key) {
            transition.cancel_trial();
            return true;
        }
        if !transition.state.on_trial {
            transition.begin_trial();
        } else if let Some(own) = &mut self.ownership {
            own.trial_saved = true;
        }
        if let Some(event) = self.queue.rest_mut().find(|event| event.seq == head) {
            event.redelivered |= !event.tokens.is_empty();
        }
        false
    }

    /// Nothing of the key may run: what waits goes to the mailbox.
    fn plan_park(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) {
        plan.parts.parks = true;
        if shared.draining {
            // What the broker still waits for goes back to it.
            drop(self.queue.take_waiting(|_| true));
            return;
        }
        let state = &*plan.transition.state;
        let (last_seq, epoch) = (state.last_seq, state.epoch);
        let goes = |event: &Event<D>| {
            let is_ahead = event.seq > last_seq && event.is_of(epoch);
            event.is_stored() || event.replay || is_ahead || is_compared(state, event)
        };
        for event in self.queue.take_waiting(goes) {
            if event.is_stored() || event.replay {
                plan.parts.leaving.push((event, Leaving::Stored));
            } else {
                self.put(plan, event, shared);
            }
        }
    }

    /// The events that follow one another from the head on stay; what comes behind a gap is held.
    fn plan_chain(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) {
        let now = shared.now;
        let (mut goes, mut stored_first) = (Vec::new(), Vec::new());
        let state = &*plan.transition.state;
        let (mut expected, mut ahead, mut in_memory) = (state.head(), 0, 0);
        let depth = shared.rules.depth();
        let begun = self.queue.done() + self.queue.running();
        for (place, event) in self.queue.iter().enumerate() {
            if place >= begun && is_compared(state, event) {
                goes.push(event.seq);
            }
            if event.replay || event.seq <= state.last_seq || !event.is_of(state.epoch) {
                continue;
            }
            while expected < event.seq && ahead < depth && state.held.contains(expected) {
                expected = following(state, expected);
                ahead += 1;
            }
            let is_next =
                event.seq == expected || (ahead >= depth && state.held.contains(expected));
            if event.seq == expected {
                expected = following(state, expected);
                ahead += 1;
            }
            in_memory += 1;
            if place < begun {
                continue;
            }
            let is_other = !event.is_stored() && state.held.contains(event.seq);
            let holds = self.hold_overflow || !shared.rules.overflow;
            let too_many = in_memory > depth && holds && !event.is_stored();
            if !is_next || is_other || too_many {
                goes.push(event.seq);
            } else if event.redelivered && !event.is_stored() {
                stored_first.push(event.seq);
            }
        }
        self.hold_overflow = false;
        if !goes.is_empty() {
            let taken = self
                .queue
                .take_waiting(|event| !event.replay && goes.binary_search(&event.seq).is_ok());
            for event in taken {
                if event.is_stored() {
                    plan.parts.leaving.push((event, Leaving::Stored));
                } else {
                    self.put(plan, event, shared);
                }
            }
        }
        for seq in stored_first {
            let is_head = seq == plan.transition.state.head();
            if self.full.is_some() && !is_head {
                // It runs as one that was delivered once.
                let mut rest = self.queue.rest_mut();
                if let Some(event) = rest.find(|event| event.seq == seq) {
                    event.redelivered = false;
                }
            } else if let Some(event) = self.queue.get(seq) {
                let mode = if is_head {
                    PutMode::Force
                } else {
                    PutMode::New
                };
                let checked = self.checked(event, plan.transition.state);
                plan.transition.hold(seq, letter(event, now, checked), mode);
                plan.puts_are(PutFor::Staying(seq));
            }
        }
    }

    /// Puts an event into the mailbox, if there is room, or compares it with what is there.
    fn put(&mut self, plan: &mut Plan<'_, D>, event: Event<D>, shared: &mut Shared<D>) {
        let checked = self.checked(&event, plan.transition.state);
        match self.full {
            Some(limit) if plan.is_new(&event) => self.defer(shared, event, Deferral::Full(limit)),
            _ => plan.put(event, checked, shared.now),
        }
    }

    /// Up to which seq the key is committed, where the id of the event is not among the remembered ones.
    fn checked(&self, event: &Event<D>, state: &KeyState) -> Option<u64> {
        let own = self.ownership.as_ref()?;
        let is_new = event.seen == Some(false) && !own.ids.contains(&event.id);
        is_new.then_some(state.last_seq)
    }

    /// What is read with the save: ids that were not looked up, and what is next in the mailbox.
    fn plan_reads(&self, plan: &mut Plan<'_, D>, rules: &Rules, blocked: bool) {
        let unchecked = self.queue.rest().filter(|event| event.seen.is_none());
        for event in unchecked.take(rules.depth()) {
            plan.parts.looked_up.push((event.seq, event.id.clone()));
            plan.parts.look_up.push(event.id.clone());
        }
        if !blocked && !self.has_next(plan.transition.state) {
            let most = rules.policy.next_events.max(1) as usize;
            let state = &*plan.transition.state;
            plan.parts.fetch = Ownership::slots_to_fetch(state, &self.queue, most, &rules.policy);
        }
    }

    /// Whether the event whose turn it is after those that run is in memory.
    fn has_next(&self, state: &KeyState) -> bool {
        if let Some(replay) = state.replays.keys().next() {
            return self.queue.get_replay(*replay).is_some();
        }
        let mut next = state.head();
        for event in self.queue.begun() {
            if event.seq == next {
                next = following(state, event.seq);
            }
        }
        self.queue.rest().any(|event| event.seq == next)
    }

    fn finish_plan(
        &mut self,
        mut next: KeyState,
        (changes, remember): (Vec<Change>, Vec<EventId>),
        parts: Parts<D>,
        shared: &Shared<D>,
    ) -> Option<(Request, PendingKind<D>)> {
        let own = self.ownership.as_mut()?;
        let rules = &shared.rules;
        let Parts {
            committed,
            leaving,
            puts,
            failure,
            controls,
            look_up,
            looked_up,
            fetch,
            parks,
        } = parts;
        // What is left of a key that nothing may run of is asked about anew.
        let is_left = self.queue.is_empty() || parks && self.queue.begun().next().is_none();
        let release =
            is_left && self.controls.is_empty() && self.waiting.is_none() && fetch.is_empty();
        let mut last = Transition::new(&mut next, &rules.policy, shared.now);
        last.watch_gap(!release);
        let listing = next.listing(&rules.policy, own.listing, shared.now);
        let has_news = own.dirty || next != own.state || release && own.began;
        let says_something = has_news
            || release
            || !changes.is_empty()
            || !remember.is_empty()
            || !leaving.is_empty()
            || !controls.is_empty();
        let reads = !look_up.is_empty() || !fetch.is_empty();
        let may_wait = self.queue.running() > 0 && !rules.runs_ahead();
        if !says_something && (!reads || may_wait) {
            return None;
        }
        let body = has_news.then(|| next.encode(own.fence));
        own.committing = committed.len();
        own.tip = next.last_seq;
        let moves = committed.is_empty() && next.last_seq != own.state.last_seq;
        own.closed = release || parks || moves || failure.is_some() || !controls.is_empty();
        let request = Save {
            key: self.key.clone(),
            fence: own.fence,
            taken: if body.is_some() { own.mail } else { 0 },
            body: body.clone(),
            changes,
            listing: own.listing.change(listing),
            remember,
            look_up,
            fetch: fetch.clone(),
            release,
        };
        let pending = PendingSave {
            next,
            body,
            listing,
            committed,
            leaving,
            puts,
            failure,
            controls,
            looked_up,
            fetched: fetch,
            release,
        };
        Some((
            Request::Save(Box::new(request)),
            PendingKind::Save(Box::new(pending)),
        ))
    }
}

/// A save that is being planned.
struct Plan<'a, D> {
    transition: Transition<'a>,
    parts: Parts<D>,
}

/// What belongs to a save beside the change of the key.
struct Parts<D> {
    committed: Vec<Event<D>>,
    leaving: Vec<(Event<D>, Leaving)>,
    puts: Vec<PutFor>,
    failure: Option<Failure>,
    controls: Vec<(Control, Token)>,
    looked_up: Vec<(u64, EventId)>,
    look_up: Vec<EventId>,
    fetch: Vec<Slot>,
    parks: bool,
}

impl<'a, D> Plan<'a, D> {
    fn new(transition: Transition<'a>) -> Self {
        let parts = Parts {
            committed: Vec::new(),
            leaving: Vec::new(),
            puts: Vec::new(),
            failure: None,
            controls: Vec::new(),
            looked_up: Vec::new(),
            look_up: Vec::new(),
            fetch: Vec::new(),
            parks: false,
        };
        Self { transition, parts }
    }

    /// The puts that were added since the last call are these.
    fn puts_are(&mut self, whose: PutFor) {
        let is_put = |change: &&Change| matches!(change, Change::Put { .. });
        let puts = self.transition.changes.iter().filter(is_put).count();
        self.parts.puts.resize(puts, whose);
    }

    /// Whether the event needs room that a quota may refuse.
    fn is_new(&self, event: &Event<D>) -> bool {
        let state = &*self.transition.state;
        let is_there = state.held.contains(event.seq) || state.is_dead(event.seq);
        !is_there && event.seq != state.head()
    }

    /// Puts an event into the mailbox, or compares it with what is there.
    fn put(&mut self, event: Event<D>, checked: Option<u64>, now: u64) {
        let state = &*self.transition.state;
        let held = || state.held.contains(event.seq);
        let slot = if state.is_dead(event.seq) && !held() {
            Some(state.dead_slot(event.seq))
        } else {
            held().then_some(Slot::Held(event.seq))
        };
        let letter = letter(&event, now, checked);
        let how = if let Some(slot) = slot {
            let mode = PutMode::New;
            self.transition
                .changes
                .push(Change::Put { slot, letter, mode });
            Leaving::Compared
        } else {
            let is_head = event.seq == state.head();
            let mode = if is_head {
                PutMode::Force
            } else {
                PutMode::New
            };
            self.transition.hold(event.seq, letter, mode);
            Leaving::Held
        };
        self.puts_are(PutFor::Leaving(self.parts.leaving.len()));
        self.parts.leaving.push((event, how));
    }
}

/// Whether a dead letter has the seq of the event, which lies behind the key, and says whether it is the same.
fn is_compared<D>(state: &KeyState, event: &Event<D>) -> bool {
    let is_past = event.seq <= state.last_seq && event.is_of(state.epoch);
    is_past && !event.is_stored() && event.seen == Some(false) && state.is_dead(event.seq)
}

fn letter<D>(event: &Event<D>, now: u64, checked: Option<u64>) -> Letter {
    let since = event.held_since.unwrap_or(now);
    HeldNote { since, checked }.letter(&event.id, &event.envelope)
}
