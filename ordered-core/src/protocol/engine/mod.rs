//! The engine: a key's [state](super::KeyState) machine for every key of a worker.
//!
//! Deliveries, answers of the store, ends of runs and times go in; requests to the store, runs to start and [`Effect`]s
//! come out. Each key says one thing to the store at a time, and what it says is made from all that it knows at the
//! moment when it is sent.

mod actor;
mod adopt;
mod answers;
mod effect;
mod event;
mod key_map;
mod numbering;
mod overflow;
mod pending;
mod plan;
mod quarantine;
mod queue;
mod retry_wait;
mod runs;
mod schedule;
mod shared;
mod stamped;
#[cfg(test)]
mod tests;
mod visit;
mod watermark;

use std::marker::PhantomData;
use std::sync::Arc;

pub use effect::{DeferReason, Effect, EventChange, EventOutcome, KeyChange, Run, RunError, RunId};
pub use event::{Event, Tokens};
pub use pending::Pending;
pub use queue::RunEvents;
pub use shared::Rules;
#[doc(hidden)]
pub use visit::Visitor;
pub use watermark::Watermark;

use self::actor::Actor;
use self::key_map::KeyMap;
use self::overflow::Overflow;
use self::quarantine::Quarantine;
use self::retry_wait::RetryWaits;
use self::schedule::Schedule;
use self::shared::Shared;
use self::watermark::{Adoption, Watermarks};
use crate::event::Key;
use crate::handler::OnRepeat;
use crate::protocol::Millis;
use crate::store::{Answer, Exchange, Request};
use crate::transport::Token;
use crate::worker::Control;

/// All keys that a worker has at work. A plain value: it reads no clock, does no I/O and calls no user code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Engine<D> {
    shared: Shared<D>,
    keys: KeyMap<Actor<D>>,
    schedule: Schedule,
    overflow: Overflow,
}

impl<D: Default> Engine<D> {
    /// One without keys.
    pub fn new(rules: Rules) -> Self {
        Self {
            shared: Shared {
                rules: Arc::new(rules),
                now: 0,
                at_work_since: 0,
                paused: false,
                draining: false,
                running: 0,
                next_run: 0,
                quarantine: Quarantine::default(),
                retry_waits: RetryWaits::default(),
                watermarks: Watermarks::default(),
                adoption: Adoption::default(),
                effects: Vec::new(),
                claims: Vec::new(),
                data: PhantomData,
            },
            keys: KeyMap::default(),
            schedule: Schedule::default(),
            overflow: Overflow::default(),
        }
    }

    /// Says what time it is by the store's clock, as the worker estimates it.
    pub fn set_now(&mut self, now: Millis) {
        if self.shared.now == 0 {
            self.shared.at_work_since = now;
        }
        self.shared.now = now;
    }

    /// Says whether the group is paused.
    pub fn set_paused(&mut self, paused: bool) {
        if self.shared.paused != paused {
            self.shared.paused = paused;
            self.touch_all();
        }
    }

    /// The broker delivered an event. While draining it is left unsettled, so that the broker delivers it elsewhere.
    pub fn deliver(&mut self, key: &Key, event: Event<D>) {
        if self.shared.draining {
            return;
        }
        let actor = actor(&mut self.keys, key);
        let mut event = Box::new(event);
        if self.shared.rules.policy.order.numbers_itself() {
            event.arrive(actor.arrivals);
            event.epoch = None;
            actor.arrivals += 1;
        }
        actor.add(&mut self.shared, event);
        if actor.waiting.is_some()
            && !self
                .shared
                .retry_waits
                .has_room_for(0, self.shared.rules.read_ahead)
        {
            // Too many deliveries wait with it: it goes on waiting in the store.
            actor.failure = actor.end_wait(&mut self.shared);
        }
        let is_more = actor.queue.len() > self.shared.rules.depth();
        self.overflow.delivered(is_more.then_some(key));
        self.schedule.touch(actor);
    }

    /// A producer's control message was delivered.
    pub fn control(&mut self, key: &Key, control: Control, token: Token) {
        if self.shared.draining {
            return;
        }
        self.overflow.delivered(None);
        let actor = actor(&mut self.keys, key);
        actor.controls.push((control, token));
        self.schedule.touch(actor);
    }

    /// A sweep found keys that need an owner. Takes over as many as there is room for.
    pub fn claim(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            if self.spare_keys() == 0 {
                return;
            }
            if self.keys.get(&key).is_none_or(Actor::is_over) {
                let actor = actor(&mut self.keys, &key);
                actor.claimed = true;
                self.schedule.touch(actor);
            }
        }
    }

    /// A wait that an effect asked for is over.
    pub fn wake(&mut self, key: &Key) {
        if let Some(actor) = self.keys.get_mut(key) {
            actor.asleep = false;
            actor.end_wait(&mut self.shared);
            self.schedule.touch(actor);
        }
    }

    /// The next batch for the store, bounded in requests and bytes, with what its answers are for.
    pub fn take_requests(
        &mut self,
        most: usize,
        most_bytes: usize,
    ) -> (Vec<Request>, Vec<Pending<D>>) {
        let expected = most.min(self.schedule.to_say());
        let mut requests = Vec::with_capacity(expected);
        let mut pending = Vec::with_capacity(expected);
        let mut bytes = 0;
        while requests.len() < most
            && (bytes < most_bytes || requests.is_empty())
            && let Some(key) = self.schedule.next_to_say()
        {
            let Some(actor) = self.keys.get_mut(&key) else {
                continue;
            };
            actor.queued = false;
            if actor.pending {
                continue;
            }
            let request = actor.request(&mut self.shared);
            actor.pending = request.is_some();
            self.schedule.enqueue_if_ready(actor, &self.shared);
            let Some((request, kind)) = request else {
                actor.leave_to_broker(&self.shared);
                if actor.is_over() {
                    self.remove(&key);
                }
                continue;
            };
            bytes += request.payload_bytes();
            requests.push(request);
            pending.push(Pending { key, kind });
        }
        (requests, pending)
    }

    /// Whether there may be something to tell the store; how many keys may have something to say.
    pub fn outgoing(&self) -> usize {
        self.schedule.to_say()
    }

    /// Takes the answers of the store, one for each request of the batch.
    pub fn on_answers(&mut self, pending: Vec<Pending<D>>, exchange: Exchange) {
        self.set_now(exchange.now);
        self.set_paused(exchange.paused);
        for (Pending { key, kind }, answer) in pending.into_iter().zip(exchange.answers) {
            if let Some(actor) = self.keys.get_mut(&key) {
                actor.answer(&mut self.shared, kind, answer);
                if actor.is_over() {
                    self.remove(&key);
                } else {
                    self.schedule.touch(actor);
                    self.schedule.enqueue_if_ready(actor, &self.shared);
                }
            }
        }
        let claims = std::mem::take(&mut self.shared.claims);
        self.claim(claims);
    }

    /// The store did not answer: whether the batch was carried out is unknown.
    pub fn on_no_answer(&mut self, pending: Vec<Pending<D>>) {
        let exchange = Exchange {
            now: self.shared.now,
            paused: self.shared.paused,
            answers: pending.iter().map(|_| Answer::Unknown).collect(),
        };
        self.on_answers(pending, exchange);
    }

    /// The next run to start, while there are slots. The caller makes sure that the worker's lease is good.
    pub fn next_run(&mut self) -> Option<Run<'_, D>> {
        let key = self.next_ready()?;
        let actor = self.keys.get_mut(&key)?;
        let attempt = actor.attempt();
        let events = actor.next_run(&self.shared);
        let number = self.shared.next_run;
        self.shared.next_run += 1;
        self.shared.running += 1;
        actor.run = Some(number);
        let own = actor.ownership.as_mut()?;
        own.began = true;
        let (fence, epoch) = (own.fence, own.state.epoch);
        for (place, event) in actor.queue.rest().take(events).enumerate() {
            let attempt = if place == 0 { attempt } else { 1 };
            self.shared
                .observe(&key, event, EventChange::Started { attempt, fence });
        }
        let events = actor.queue.start(events);
        Some(Run {
            id: RunId { key, number },
            fence,
            epoch,
            attempt,
            events,
        })
    }

    /// Lets a key go next whose event was not tried yet, if one is ready.
    pub fn prefer_first_attempts(&mut self, newest: bool) {
        let (keys, shared) = (&self.keys, &self.shared);
        self.schedule.prefer(newest, |key| {
            let actor = keys.get(key);
            actor.is_some_and(|actor| actor.may_begin(shared) && actor.attempt() == 1)
        });
    }

    /// The next key of which a run may begin.
    fn next_ready(&mut self) -> Option<Key> {
        while self.shared.running < self.shared.rules.concurrency {
            let key = self.schedule.next_ready()?;
            let Some(actor) = self.keys.get_mut(&key) else {
                continue;
            };
            actor.in_ready_queue = false;
            if actor.next_run(&self.shared) == 0 {
                continue;
            }
            if !actor.queue.front().is_some_and(Event::is_repeat) {
                return Some(key);
            }
            match self.shared.rules.on_repeat {
                OnRepeat::Skip => actor.queue.pass_front(),
                OnRepeat::Conflict => actor.refuse_repeat(&mut self.shared),
            }
            self.schedule.touch(actor);
            self.schedule.enqueue_if_ready(actor, &self.shared);
        }
        None
    }

    /// A run is over. One whose key was lost meanwhile does not count.
    pub fn finish(&mut self, run: &RunId, attempt: u32, outcome: Result<(), RunError>) {
        let Some(actor) = self.keys.get_mut(&run.key) else {
            return;
        };
        if actor.run == Some(run.number) {
            actor.finish(&mut self.shared, outcome, attempt);
            self.schedule.touch(actor);
            self.schedule.enqueue_if_ready(actor, &self.shared);
        }
    }

    /// Whether keys wait for nothing but a lease and a slot.
    pub fn has_ready(&self) -> bool {
        self.schedule.has_ready()
    }

    /// Whether events wait for room in the queue of their key.
    pub fn has_overflow(&self) -> bool {
        self.shared.rules.overflow && !self.overflow.is_empty()
    }

    /// Half of the time is over for which events may wait for room: those that have waited for two of these are held.
    /// Unless the broker brings more of the same and nothing else: then it would only bring more of it.
    pub fn tick(&mut self) {
        let (keys, depth) = (&self.keys, self.shared.rules.depth());
        let has_room = |key: &Key| keys.get(key).is_none_or(|actor| actor.queue.len() <= depth);
        for key in self.overflow.tick(has_room) {
            if let Some(actor) = self.keys.get_mut(&key) {
                actor.hold_overflow = true;
                self.schedule.touch(actor);
            }
        }
    }

    /// From now on nothing new begins: what waits is given back, what runs is finished and committed.
    pub fn begin_drain(&mut self) {
        self.shared.draining = true;
        self.schedule.clear_ready();
        if self.shared.adoption == Adoption::Owned {
            self.go_on_adopting();
        }
        self.touch_all();
    }

    /// Stops the handlers that still run, so that their keys are given back. Says which keys they are.
    pub fn stop_runs(&mut self) -> Vec<Key> {
        let mut stopped = Vec::new();
        for key in self.keys.sorted_keys() {
            if let Some(actor) = self.keys.get_mut(&key)
                && actor.run.is_some()
            {
                actor.stop_run(&mut self.shared);
                actor.queue.stop(false);
                self.schedule.touch(actor);
                stopped.push(key);
            }
        }
        stopped
    }

    /// Whether nothing is left to do.
    pub fn is_idle(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys are at work.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// How many more keys the worker could take over now. Keys share the handler slots in turn, so that one more makes
    /// the others slower, but a key that nobody runs stands still.
    pub fn spare_keys(&self) -> usize {
        if self.shared.draining || self.shared.paused {
            0
        } else {
            self.shared.rules.max_keys.saturating_sub(self.keys.len())
        }
    }

    /// What is to be done, or to be known, since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.swap_effects(&mut effects);
        effects
    }

    /// The same in exchange for a vector without any, whose memory is used again.
    pub fn swap_effects(&mut self, effects: &mut Vec<Effect>) {
        debug_assert!(effects.is_empty(), "what is in it would come again");
        std::mem::swap(&mut self.shared.effects, effects);
    }

    /// Every key may have something to say.
    fn touch_all(&mut self) {
        for key in self.keys.sorted_keys() {
            if let Some(actor) = self.keys.get_mut(&key) {
                self.schedule.touch(actor);
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        self.keys.remove(key);
        self.overflow.forget(key);
    }
}

fn actor<'a, D>(keys: &'a mut KeyMap<Actor<D>>, key: &Key) -> &'a mut Actor<D> {
    keys.entry(key.clone())
        .or_insert_with(|| Actor::new(key.clone()))
}
