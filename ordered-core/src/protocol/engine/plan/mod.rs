//! What a key says to the store next.

mod acquire;
mod chain;
mod mailbox;
mod progress;
mod reads;
mod stamped;

use std::sync::Arc;

use super::actor::{Actor, Ownership};
use super::event::Event;
use super::pending::{Failure, Leaving, PendingKind, PendingSave, PutFor};
use super::shared::Shared;
use crate::event::EventId;
use crate::protocol::{KeyState, RepairWanted, Transition};
use crate::store::{Change, Request, Save, Slot};
use crate::transport::Token;
use crate::worker::Control;

impl<D> Actor<D> {
    /// What to say next, with what its answer is for.
    pub(super) fn request(&mut self, shared: &mut Shared<D>) -> Option<(Request, PendingKind<D>)> {
        match &self.ownership {
            Some(own) if !own.uncertain => self.save(shared),
            _ => self.acquire(shared),
        }
    }

    fn save(&mut self, shared: &mut Shared<D>) -> Option<(Request, PendingKind<D>)> {
        self.choose_head(shared);
        self.settle_past(shared);
        if self.waiting.is_some() && self.gives_way(shared) {
            self.failure = self.end_wait(shared);
        }
        let rules = Arc::clone(&shared.rules);
        let mut next = self.ownership.as_ref()?.state.clone();
        let mut plan = Plan::new(Transition::new(&mut next, &rules.policy, shared.now));
        self.plan_moves(&mut plan);
        self.plan_lost_epoch(&mut plan);
        self.note_arrived(&mut plan);
        self.plan_commits(&mut plan);
        self.plan_failure(&mut plan, shared);
        self.plan_controls(&mut plan, shared);
        self.plan_past(&mut plan, &rules);
        self.plan_superseded(&mut plan);
        self.plan_posted(&mut plan, shared);
        self.plan_late(&mut plan, shared);
        self.plan_releases(&mut plan, shared);
        let blocked = self.plan_head(&mut plan, shared);
        self.plan_waiting(&mut plan, shared, blocked);
        if blocked && self.queue.running() == 0 {
            self.plan_park(&mut plan, shared);
        } else {
            self.plan_chain(&mut plan, shared);
        }
        self.full = None;
        self.plan_reads(&mut plan, &rules, blocked);
        let Plan {
            transition,
            mut parts,
        } = plan;
        let Transition {
            changes,
            remember,
            repair,
            given_up,
            ..
        } = transition;
        (parts.repair, parts.given_up) = (repair, given_up);
        self.finish_plan(next, (changes, remember), parts, shared)
    }

    /// What is here although it was said that it will never come is handled in its place.
    fn note_arrived(&self, plan: &mut Plan<'_, D>) {
        let transition = &mut plan.transition;
        if transition.policy.order.has_producers() {
            let producers = &mut transition.state.producers;
            let here = self.queue.iter().filter(|event| !event.replay);
            let stamps = here.filter_map(|event| event.stamp.as_deref());
            producers.arrived(stamps);
        }
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

    /// Whether it may not keep the key for the next attempt. Where somebody wants the key, the owner still runs
    /// something first if it can, so that two that both want it do not only pass it to each other.
    pub(super) fn gives_way(&self, shared: &Shared<D>) -> bool {
        let is_wanted = |own: &Ownership| {
            let state = &own.state;
            let is_here = !state.replays.is_empty()
                || state.held.contains(state.head())
                || self.queue.get(state.head()).is_some();
            own.hand_over && (own.began || !is_here)
        };
        self.ownership.as_deref().is_some_and(is_wanted)
            || shared.paused
            || shared.draining
            || !self.controls.is_empty()
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
            repair,
            controls,
            superseded,
            late,
            given_up,
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
        let may_wait = self.queue.running() > 0 && !rules.runs_ahead() && !self.hold_overflow;
        if !says_something && (!reads || may_wait) {
            return None;
        }
        own.committing = committed.len();
        own.tip = next.last_seq;
        let moves = committed.is_empty() && next.last_seq != own.state.last_seq;
        own.closed = release || parks || moves || failure.is_some() || !controls.is_empty();
        let request = Save {
            key: self.key.clone(),
            fence: own.fence,
            taken: if has_news { own.mail } else { 0 },
            body: has_news.then(|| next.encode(own.fence)),
            changes,
            listing: own.listing.change(listing),
            remember,
            look_up,
            fetch: fetch.clone(),
            release,
        };
        let pending = PendingSave {
            next,
            writes_body: has_news,
            listing,
            committed,
            leaving,
            puts,
            failure,
            repair,
            controls,
            superseded,
            late,
            given_up,
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
pub(super) struct Plan<'a, D> {
    pub(super) transition: Transition<'a>,
    pub(super) parts: Parts<D>,
}

/// What belongs to a save beside the change of the key.
pub(super) struct Parts<D> {
    pub(super) committed: Vec<Box<Event<D>>>,
    pub(super) leaving: Vec<(Box<Event<D>>, Leaving)>,
    pub(super) puts: Vec<PutFor>,
    pub(super) failure: Option<Failure>,
    pub(super) repair: Vec<RepairWanted>,
    pub(super) controls: Vec<(Control, Token)>,
    /// How many versions leave the mailbox because they are superseded.
    pub(super) superseded: u64,
    /// How many events leave the mailbox because they are late.
    pub(super) late: u64,
    /// The producers that are not waited for any more.
    pub(super) given_up: Vec<String>,
    pub(super) looked_up: Vec<(u64, EventId)>,
    pub(super) look_up: Vec<EventId>,
    pub(super) fetch: Vec<Slot>,
    pub(super) parks: bool,
}

impl<'a, D> Plan<'a, D> {
    fn new(transition: Transition<'a>) -> Self {
        let parts = Parts {
            committed: Vec::new(),
            leaving: Vec::new(),
            puts: Vec::new(),
            failure: None,
            repair: Vec::new(),
            controls: Vec::new(),
            superseded: 0,
            late: 0,
            given_up: Vec::new(),
            looked_up: Vec::new(),
            look_up: Vec::new(),
            fetch: Vec::new(),
            parks: false,
        };
        Self { transition, parts }
    }

    /// The puts that were added since the last call are these.
    pub(super) fn puts_are(&mut self, whose: PutFor) {
        let is_put = |change: &&Change| matches!(change, Change::Put { .. });
        let puts = self.transition.changes.iter().filter(is_put).count();
        self.parts.puts.resize(puts, whose);
    }
}
