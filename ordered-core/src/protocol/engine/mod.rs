//! The engine: a key's [state](super::KeyState) machine for every key of a worker.
//!
//! Deliveries, answers of the store, ends of runs and times go in; requests to the store, runs to start and [`Effect`]s
//! come out. Each key says one thing to the store at a time, and what it says is made from all that it knows at the moment
//! when it is sent.

mod actor;
mod answers;
mod effect;
mod event;
mod key_map;
mod pending;
mod plan;
mod quarantine;
mod queue;
mod retry_wait;
mod runs;
mod shared;
#[cfg(test)]
mod tests;
mod visit;
mod watermark;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

pub use effect::{Deferral, Disposition, Effect, EventChange, KeyChange, Run, RunError, RunId};
pub use event::{Event, Tokens};
pub use pending::Pending;
pub use shared::Rules;
#[doc(hidden)]
pub use visit::Visitor;
pub use watermark::Watermark;

use self::actor::Actor;
use self::key_map::KeyMap;
use self::quarantine::Quarantine;
use self::retry_wait::RetryWaits;
use self::shared::Shared;
use self::watermark::{Adoption, Watermarks};
use crate::event::Key;
use crate::protocol::{KeyState, Millis};
use crate::store::{Answer, Exchange, Request};
use crate::transport::Token;
use crate::worker::Control;

/// All keys that a worker has at work. A plain value: it reads no clock, does no I/O and calls no user code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Engine<D> {
    shared: Shared<D>,
    keys: KeyMap<Actor<D>>,
    /// Keys that may have something to say to the store.
    outbox: VecDeque<Key>,
    /// Keys whose next run waits for a handler slot, longest first. May name keys that are gone or not ready any more; they
    /// are passed over.
    ready: VecDeque<Key>,
    /// Keys with more events than their queue has room for, and since which tick.
    overflow: KeyMap<u64>,
    /// Whether anything was delivered since the last tick, and whether it was anything but more of the overflow.
    came: bool,
    others_came: bool,
}

impl<D: Default> Engine<D> {
    /// One without keys.
    pub fn new(rules: Rules) -> Self {
        Self {
            shared: Shared {
                rules: Arc::new(rules),
                now: 0,
                paused: false,
                draining: false,
                running: 0,
                next_run: 0,
                tick: 0,
                quarantine: Quarantine::default(),
                retry_waits: RetryWaits::default(),
                watermarks: Watermarks::default(),
                adoption: Adoption::default(),
                effects: Vec::new(),
                claims: Vec::new(),
                data: PhantomData,
            },
            keys: KeyMap::default(),
            outbox: VecDeque::new(),
            ready: VecDeque::new(),
            overflow: KeyMap::default(),
            came: false,
            others_came: false,
        }
    }

    /// Says what time it is by the store's clock, as the worker estimates it.
    pub fn set_now(&mut self, now: Millis) {
        self.shared.now = now;
    }

    /// Says whether the group is paused.
    pub fn set_paused(&mut self, paused: bool) {
        if self.shared.paused != paused {
            self.shared.paused = paused;
            for key in self.keys.sorted_keys() {
                self.touch(&key);
            }
        }
    }

    /// The broker delivered an event. While draining it is left unsettled, so that the broker delivers it elsewhere.
    pub fn deliver(&mut self, key: &Key, event: Event<D>) {
        if self.shared.draining {
            return;
        }
        self.came = true;
        let depth = self.shared.rules.depth();
        let actor = actor(&mut self.keys, key);
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
        if actor.queue.len() > depth {
            let tick = self.shared.tick;
            self.overflow.entry(key.clone()).or_insert(tick);
        } else {
            self.others_came = true;
        }
        self.touch(key);
    }

    /// A producer's control message was delivered.
    pub fn control(&mut self, key: &Key, control: Control, token: Token) {
        if self.shared.draining {
            return;
        }
        self.came = true;
        self.others_came = true;
        actor(&mut self.keys, key).controls.push((control, token));
        self.touch(key);
    }

    /// A sweep found keys that need an owner. Takes over as many as there is room for.
    pub fn claim(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            if self.spare_keys() == 0 {
                return;
            }
            if self.keys.get(&key).is_none_or(Actor::is_over) {
                actor(&mut self.keys, &key).claimed = true;
                self.touch(&key);
            }
        }
    }

    /// A wait that an effect asked for is over.
    pub fn wake(&mut self, key: &Key) {
        if let Some(actor) = self.keys.get_mut(key) {
            actor.asleep = false;
            actor.end_wait(&mut self.shared);
            self.touch(key);
        }
    }

    /// The next batch for the store, bounded in requests and bytes, with what its answers are for.
    pub fn take_requests(
        &mut self,
        most: usize,
        most_bytes: usize,
    ) -> (Vec<Request>, Vec<Pending<D>>) {
        let (mut requests, mut pending, mut bytes) = (Vec::new(), Vec::new(), 0);
        while requests.len() < most
            && (bytes < most_bytes || requests.is_empty())
            && let Some(key) = self.outbox.pop_front()
        {
            let Some(actor) = self.keys.get_mut(&key) else {
                continue;
            };
            actor.queued = false;
            if actor.pending {
                continue;
            }
            let Some((request, kind)) = actor.request(&mut self.shared) else {
                self.line_up(&key);
                self.end_if_over(&key);
                continue;
            };
            actor.pending = true;
            bytes += request.payload_bytes();
            requests.push(request);
            self.line_up(&key);
            pending.push(Pending { key, kind });
        }
        (requests, pending)
    }

    /// Whether there may be something to tell the store; how many keys may have something to say.
    pub fn outgoing(&self) -> usize {
        self.outbox.len()
    }

    /// Takes the answers of the store, one for each request of the batch.
    pub fn on_answers(&mut self, pending: Vec<Pending<D>>, exchange: Exchange) {
        self.set_now(exchange.now);
        self.set_paused(exchange.paused);
        for (Pending { key, kind }, answer) in pending.into_iter().zip(exchange.answers) {
            if let Some(actor) = self.keys.get_mut(&key) {
                actor.answer(&mut self.shared, kind, answer);
                self.touch(&key);
                self.line_up(&key);
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
        let events = actor.queue.start(events).collect();
        Some(Run {
            id: RunId { key, number },
            fence,
            epoch,
            attempt,
            events,
        })
    }

    /// The next key of which a run may begin.
    fn next_ready(&mut self) -> Option<Key> {
        while self.shared.running < self.shared.rules.concurrency {
            let key = self.ready.pop_front()?;
            let Some(actor) = self.keys.get_mut(&key) else {
                continue;
            };
            actor.lined_up = false;
            if actor.next_run(&self.shared) == 0 {
                continue;
            }
            if !actor.queue.front().is_some_and(Event::is_repeat) {
                return Some(key);
            }
            actor.queue.pass_front();
            self.touch(&key);
            self.line_up(&key);
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
            self.touch(&run.key);
            self.line_up(&run.key);
        }
    }

    /// Whether keys wait for nothing but a lease and a slot.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether events wait for room in the queue of their key.
    pub fn has_overflow(&self) -> bool {
        self.shared.rules.overflow && !self.overflow.is_empty()
    }

    /// Half of the time is over for which events may wait for room: those that have waited for two of these are held.
    /// Unless the broker brings more of the same and nothing else: then it would only bring more of it.
    pub fn tick(&mut self) {
        self.shared.tick += 1;
        let more_of_the_same =
            std::mem::take(&mut self.came) & !std::mem::take(&mut self.others_came);
        if more_of_the_same {
            return;
        }
        let (tick, depth) = (self.shared.tick, self.shared.rules.depth());
        for key in self.overflow.sorted_keys() {
            let since = self.overflow.get(&key).copied().unwrap_or(tick);
            let Some(actor) = self
                .keys
                .get_mut(&key)
                .filter(|actor| actor.queue.len() > depth)
            else {
                self.overflow.remove(&key);
                continue;
            };
            if since + 2 < tick {
                actor.hold_overflow = true;
                self.overflow.remove(&key);
                self.touch(&key);
            }
        }
    }

    /// The lease had ended, and is good again: what was owned before may be another worker's by now. Nothing begins until
    /// the store has granted it anew.
    pub fn on_lapse(&mut self) {
        for key in self.keys.sorted_keys() {
            if let Some(actor) = self.keys.get_mut(&key) {
                actor.lapsed = actor.pending;
                if let Some(own) = &mut actor.ownership {
                    own.uncertain = true;
                }
            }
            self.touch(&key);
        }
    }

    /// The state of the group was lost, and the worker opened a new one: what it knows of its keys is written anew. First
    /// come the keys that it owns.
    pub fn adopt(&mut self) {
        self.on_lapse();
        self.shared.adoption = Adoption::Owned;
        if self.shared.draining {
            self.go_on_adopting();
        }
    }

    /// The next step of an adoption. To be called when every living worker has had the time to notice the loss since the
    /// last one. Says whether there is another step.
    pub fn go_on_adopting(&mut self) -> bool {
        match self.shared.adoption {
            Adoption::Over => return false,
            Adoption::Owned => {
                self.shared.adoption = Adoption::Remembered;
                for (key, _) in self.shared.watermarks.all() {
                    self.write_down(&key);
                }
            }
            Adoption::Remembered => self.shared.adoption = Adoption::Over,
        }
        for key in self.keys.sorted_keys() {
            self.touch(&key);
        }
        self.shared.adoption != Adoption::Over
    }

    /// The store says this of a key that waits for an event. Where the worker remembers more, the store lost state, and the
    /// key is set right.
    pub fn compare(&mut self, key: &Key, state: &KeyState) {
        let mark = self.shared.watermarks.get(key);
        if !self.shared.draining && mark.is_some_and(|mark| mark.is_beyond(state)) {
            self.write_down(key);
        }
    }

    /// Writes what the worker remembers of the key, unless it owns the key and has done so.
    fn write_down(&mut self, key: &Key) {
        let actor = actor(&mut self.keys, key);
        if actor.ownership.is_none() {
            actor.adopting = true;
            self.touch(key);
        }
    }

    /// How far the worker knows keys to be committed.
    pub fn watermarks(&self) -> Vec<(Key, Watermark)> {
        self.shared.watermarks.all()
    }

    /// From now on nothing new begins: what waits is given back, what runs is finished and committed.
    pub fn begin_drain(&mut self) {
        self.shared.draining = true;
        self.ready.clear();
        if self.shared.adoption == Adoption::Owned {
            self.go_on_adopting();
        }
        for key in self.keys.sorted_keys() {
            self.touch(&key);
        }
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
                self.touch(&key);
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

    /// How many more keys the worker could take over now. Keys share the handler slots in turn, so that one more makes the
    /// others slower, but a key that nobody runs stands still.
    pub fn spare_keys(&self) -> usize {
        if self.shared.draining || self.shared.paused {
            0
        } else {
            self.shared.rules.max_keys.saturating_sub(self.keys.len())
        }
    }

    /// What is to be done, or to be known, since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.shared.effects)
    }

    /// The key may have something to say.
    fn touch(&mut self, key: &Key) {
        if let Some(actor) = self.keys.get_mut(key)
            && !actor.queued
            && !actor.pending
        {
            actor.queued = true;
            self.outbox.push_back(key.clone());
        }
    }

    /// Lets the key wait for a handler slot, if its next event may run.
    fn line_up(&mut self, key: &Key) {
        if let Some(actor) = self.keys.get_mut(key)
            && !actor.lined_up
            && actor.may_begin(&self.shared)
        {
            actor.lined_up = true;
            self.ready.push_back(key.clone());
        }
    }

    fn end_if_over(&mut self, key: &Key) {
        if let Some(actor) = self.keys.get_mut(key) {
            if self.shared.draining
                && actor.ownership.is_none()
                && !actor.is_in_doubt()
                && !actor.adopting
            {
                // What the broker still waits for goes back to it.
                drop(actor.queue.take_all());
                actor.controls.clear();
                actor.claimed = false;
            }
            if actor.is_over() {
                self.keys.remove(key);
                self.overflow.remove(key);
            }
        }
    }
}

fn actor<'a, D>(keys: &'a mut KeyMap<Actor<D>>, key: &Key) -> &'a mut Actor<D> {
    keys.entry(key.clone())
        .or_insert_with(|| Actor::new(key.clone()))
}
