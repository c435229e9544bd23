//! One key, a broker, a few workers, an operator, and all that can go wrong with them.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::Clock;
use crate::event::{Envelope, EventId, Key};
use crate::handler::{OnExhausted, OnPassed, OnRepeat};
use crate::protocol::engine::{
    Effect, Engine, Event, EventOutcome, KeyChange, Pending, Rules, RunError, RunId,
};
use crate::protocol::{KeyState, Order, Policy, RepairWanted, Stamp, Transition, Verb, WorkerId};
use crate::store::{
    Acquire, AcquireMode, Answer, Group, Inspect, Listing, MemoryStore, Previous, Request, Save,
    Session, Store, Sweep,
};
use crate::transport::Token;

const LEASE: u64 = 1_000;

/// In which way the broker hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broker {
    /// In order, to one worker at a time. What was not settled when it changes goes to the next one, again in order.
    OneConsumer,
    /// In order, to one worker at a time. The next one begins again at the first that was not settled.
    Partition,
    /// In any order, to any worker.
    Anyhow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Queue,
    With(usize),
    Gone,
    /// It was lost on its way to the queue, and comes once it is asked for.
    Lost,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: EventId,
    pub(super) seq: u64,
    at: At,
    redelivered: bool,
}

/// A run under way: its name, its attempt, and the seqs and ids of its events.
type Run = (RunId, u32, Vec<(u64, EventId)>);

pub(super) struct Worker {
    number: usize,
    session: Session,
    engine: Engine<()>,
    call: Option<(Vec<Request>, Vec<Pending<()>>)>,
    run: Option<Run>,
    timers: Vec<u64>,
    beat_at: u64,
}

/// What happened to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happened {
    Started(u64, EventId),
    Committed(EventId),
}

pub(super) struct World {
    pub(super) random: fastrand::Rng,
    pub(super) messages: Vec<Message>,
    pub(super) happened: Vec<Happened>,
    pub(super) superseded: u64,
    /// How many times lost events were sent again.
    pub(super) repaired: u64,
    broker: Broker,
    consumer: usize,
    /// Up to here the consumer was handed everything.
    handed: usize,
    clock: Clock,
    store: MemoryStore,
    group: Group,
    rules: Rules,
    /// By id, where the order comes from the producers.
    stamps: HashMap<String, Stamp>,
    workers: Vec<Worker>,
    in_flight: HashMap<Token, (usize, usize)>,
    tokens: u64,
    names: usize,
    time: u64,
    calm: bool,
    told: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?} {:?}", self.broker, self.rules);
            self.told.iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

fn key() -> Key {
    Key::new("k").expect("it is short")
}

fn at_once<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    let answer = future.now_or_never().expect("it answers at once");
    answer.expect("it is open")
}

impl World {
    pub(super) fn new(seed: u64, order: Order, broker: Broker, events: &[(u64, &str)]) -> Self {
        Self::with(seed, order, broker, events, |_| {})
    }

    pub(super) fn with(
        seed: u64,
        order: Order,
        broker: Broker,
        events: &[(u64, &str)],
        change: impl FnOnce(&mut Policy),
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut policy = Policy {
            order,
            max_attempts: Some(3),
            max_crashes: 3,
            lane_depth: random.u32(1..=4),
            next_events: random.u32(1..=3),
            // No producer is given up.
            producer_lease: Duration::from_secs(1_000_000),
            ..Policy::default()
        };
        policy.give_up_after = None;
        change(&mut policy);
        let ahead = order.numbers_itself() && random.bool();
        let rules = Rules {
            worker: String::new(),
            policy: policy.clone(),
            batch: if ahead { random.u32(1..=3) } else { 1 },
            commit_window: if ahead { random.u32(0..=2) } else { 0 },
            on_exhausted: OnExhausted::Halt,
            on_late: OnPassed::DeadLetter,
            on_stale: OnPassed::DeadLetter,
            on_repeat: OnRepeat::Skip,
            own_backoff: Duration::from_millis([0, 100_000][random.usize(0..2)]),
            concurrency: 2,
            max_keys: 4,
            read_ahead: 10,
            overflow: random.bool(),
        };
        let clock = Clock::manual(1_000_000_000);
        let message = |(seq, id): &(u64, &str)| Message {
            id: EventId::new(id).expect("it is short"),
            seq: *seq,
            at: At::Queue,
            redelivered: false,
        };
        let mut world = Self {
            messages: events.iter().map(message).collect(),
            happened: Vec::new(),
            superseded: 0,
            repaired: 0,
            broker,
            consumer: 0,
            handed: 0,
            store: MemoryStore::with_clock(clock.clone()),
            clock,
            group: Group::new("group", policy),
            rules,
            stamps: HashMap::new(),
            workers: Vec::new(),
            in_flight: HashMap::new(),
            tokens: 0,
            names: 0,
            time: 0,
            calm: false,
            told: vec![format!("seed {seed}")],
            random,
        };
        (0..world.random.usize(1..=3)).for_each(|_| world.start_worker());
        world.consumer = world.workers[0].number;
        world
    }

    /// The events say who sent them.
    pub(super) fn stamped(mut self, stamps: HashMap<String, Stamp>) -> Self {
        self.stamps = stamps;
        self
    }

    /// These events were lost. They come once they are asked for, or late in the calm.
    pub(super) fn losing(mut self, lost: &[&str]) -> Self {
        for message in &mut self.messages {
            if lost.contains(&message.id.as_str()) {
                message.at = At::Lost;
            }
        }
        self
    }

    fn send_again(&mut self, is_asked: impl Fn(&Stamp) -> bool) {
        for message in &mut self.messages {
            let stamp = self.stamps.get(message.id.as_str());
            if message.at == At::Lost && stamp.is_some_and(&is_asked) {
                message.at = At::Queue;
                self.repaired += 1;
            }
        }
    }

    /// The key knows these producers from the beginning, and that each leaves after so many events.
    pub(super) fn joined(self, producers: &[(&str, u64)]) -> Self {
        let mut state = self.state();
        for (producer, events) in producers {
            let known = &mut state.producers;
            known
                .show(producer, (0, 0), self.clock.now(), 9)
                .expect("they are few");
            known
                .leave(producer, (*events, 0), 9)
                .expect("they are few");
        }
        self.write(state);
        self
    }

    /// Somebody saves the state of the key, which is free.
    fn write(&self, state: KeyState) {
        let name = WorkerId::operator("test", 0);
        let session = at_once(self.store.open(&self.group, &name)).session;
        let lease = Duration::from_millis(LEASE);
        at_once(self.store.heartbeat(&self.group, &session, lease));
        let acquire = Request::Acquire(Acquire {
            key: key(),
            mode: AcquireMode::Ask,
            letters: Vec::new(),
            look_up: Vec::new(),
        });
        let exchange = at_once(self.store.exchange(&self.group, &session, &[acquire]));
        let Some(Answer::Owned(owned)) = exchange.answers.into_iter().next() else {
            panic!("it is free");
        };
        let mut save = Save::new(key(), owned.fence);
        save.body = Some(state.encode(owned.fence));
        save.release = true;
        let save = Request::Save(Box::new(save));
        at_once(self.store.exchange(&self.group, &session, &[save]));
        at_once(self.store.leave(&self.group, &session));
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        let line = format!("{:>6} {}", self.time, what());
        self.told.push(line);
    }

    fn start_worker(&mut self) {
        self.names += 1;
        let id = WorkerId::new(format!("w{}", self.names));
        let session = at_once(self.store.open(&self.group, &id)).session;
        let rules = Rules {
            worker: id.to_string(),
            ..self.rules.clone()
        };
        self.workers.push(Worker {
            number: self.names,
            session,
            engine: Engine::new(rules),
            call: None,
            run: None,
            timers: Vec::new(),
            beat_at: 0,
        });
        self.beat(self.workers.len() - 1);
    }

    fn beat(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        let lease = Duration::from_millis(LEASE);
        let beat = at_once(self.store.heartbeat(&self.group, &worker.session, lease));
        let lapsed = self.time >= worker.beat_at + LEASE;
        worker.beat_at = self.time;
        worker.engine.set_now(beat.now);
        worker.engine.set_paused(beat.paused);
        if lapsed {
            worker.engine.on_lapse();
        }
    }

    pub(super) fn run(mut self) -> Self {
        for _ in 0..self.random.usize(20..200) {
            self.step();
        }
        self.tell(|| "nothing goes wrong any more".into());
        self.calm = true;
        self.operate(&Verb::Resume);
        for round in 0..400 {
            if self.is_over() {
                return self;
            }
            if round == 200 {
                // Nothing waited for these.
                self.send_again(|_| true);
            }
            if round % 20 == 19 {
                self.operate(&Verb::Resume);
                self.operate(&Verb::Retry);
            }
            self.pass(LEASE / 8);
            for place in 0..self.workers.len() {
                self.beat(place);
                self.deliver();
                self.sweep(place);
                self.workers[place].engine.tick();
                self.wake(place);
                self.exchange(place, true, true);
                self.begin(place);
                self.end(place);
                self.exchange(place, true, true);
            }
        }
        panic!(
            "it does not come to rest: {:?} {:?}",
            self.state(),
            self.messages
        );
    }

    /// How many events may run before those before them are committed.
    pub(super) fn may_run_ahead(&self) -> usize {
        let Rules {
            batch,
            commit_window,
            ..
        } = self.rules;
        (batch + commit_window) as usize - 1
    }

    fn is_over(&mut self) -> bool {
        let totals = at_once(self.store.totals(&self.group));
        let idle = |worker: &Worker| worker.engine.is_idle() && worker.call.is_none();
        self.messages.iter().all(|message| message.at == At::Gone)
            && self.workers.iter().all(idle)
            && (totals.owned, totals.held_events) == (0, 0)
    }

    pub(super) fn state(&self) -> KeyState {
        let record = at_once(self.store.read(&self.group, &key()));
        let body = record.and_then(|record| Some((record.body?, record.body_fence)));
        body.map_or_else(
            || KeyState::new(1),
            |(body, fence)| KeyState::decode(&body, fence).expect("it is of this version"),
        )
    }

    fn step(&mut self) {
        let place = self.random.usize(0..self.workers.len());
        match self.random.u32(0..40) {
            0..=7 => self.deliver(),
            8..=18 => self.exchange(place, true, true),
            19..=22 => self.begin(place),
            23..=26 => self.end(place),
            27 => self.wake(place),
            28 => self.sweep(place),
            29 => self.workers[place].engine.tick(),
            30 => {
                let carried_out = self.random.bool();
                self.exchange(place, carried_out, false);
            }
            31 => self.ask(place),
            32 | 33 => self.pass(self.time % 7 * 50 + 10),
            34 => self.beat(place),
            35 => self.move_consumer(),
            36 if self.random.u32(0..3) == 0 => self.crash(place),
            37 => {
                let verbs = [Verb::Retry, Verb::Pause, Verb::Resume, Verb::Resume];
                let verb = verbs[self.random.usize(0..verbs.len())].clone();
                self.operate(&verb);
            }
            _ => {
                // Most workers send their heartbeats in time.
                for place in 0..self.workers.len() {
                    self.beat(place);
                }
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        self.time += millis;
        self.clock.advance(millis);
    }

    fn deliver(&mut self) {
        let (message, worker) = match self.broker {
            Broker::Anyhow => {
                let queued = |at: &usize| self.messages[*at].at == At::Queue;
                let ready: Vec<usize> = (0..self.messages.len()).filter(queued).collect();
                if ready.is_empty() {
                    return;
                }
                let worker = self.random.usize(0..self.workers.len());
                (ready[self.random.usize(0..ready.len())], worker)
            }
            _ => {
                let next = (self.handed..self.messages.len()).find(|at| {
                    self.broker == Broker::Partition || self.messages[*at].at == At::Queue
                });
                let number = self.consumer;
                let worker = self.workers.iter().position(|w| w.number == number);
                let (Some(next), Some(worker)) = (next, worker) else {
                    return;
                };
                self.handed = next + 1;
                (next, worker)
            }
        };
        self.tokens += 1;
        let token = Token(self.tokens);
        let number = self.workers[worker].number;
        self.in_flight.insert(token, (message, number));
        let sent = &mut self.messages[message];
        let was_gone = sent.at == At::Gone;
        sent.at = if was_gone { At::Gone } else { At::With(number) };
        let (seq, id, again) = (sent.seq, sent.id.clone(), sent.redelivered);
        sent.redelivered = true;
        self.tell(|| format!("w{number} gets {id}"));
        let stamp = self.stamps.get(id.as_str()).cloned();
        let mut event = Event::delivered(seq, id, Envelope::new("x"), (), token).stamped(stamp);
        event.redelivered = again && self.random.bool();
        self.workers[worker].engine.deliver(&key(), event);
        self.effects(worker);
    }

    /// Another worker is the consumer now. The old one still has what it was handed, and cannot settle it any more.
    fn move_consumer(&mut self) {
        let old = self.consumer;
        self.disconnect(old);
        let place = self.random.usize(0..self.workers.len());
        self.consumer = self.workers[place].number;
        let (old, new) = (old, self.consumer);
        self.tell(|| format!("w{new} consumes after w{old}"));
    }

    fn disconnect(&mut self, number: usize) {
        let messages = &mut self.messages;
        self.in_flight.retain(|_, (message, with)| {
            if *with == number && messages[*message].at == At::With(number) {
                messages[*message].at = At::Queue;
            }
            *with != number
        });
        let first = |message: &Message| message.at != At::Gone;
        let first = self.messages.iter().position(first);
        self.handed = first.unwrap_or(self.messages.len());
    }

    fn crash(&mut self, place: usize) {
        let worker = self.workers.remove(place);
        let number = worker.number;
        self.tell(|| format!("w{number} crashes"));
        self.disconnect(number);
        self.start_worker();
        if self.consumer == number {
            self.move_consumer();
        }
    }

    fn ask(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        if worker.call.is_none() {
            let (requests, pending) = worker.engine.take_requests(10, 1 << 20);
            if !requests.is_empty() {
                worker.call = Some((requests, pending));
            }
        }
    }

    /// One round trip to the store, which may not be carried out, and may not be answered.
    fn exchange(&mut self, place: usize, carried_out: bool, answered: bool) {
        self.ask(place);
        let Some((requests, pending)) = self.workers[place].call.take() else {
            return;
        };
        let session = self.workers[place].session.clone();
        let number = self.workers[place].number;
        let exchange = carried_out.then(|| {
            let exchange = at_once(self.store.exchange(&self.group, &session, &requests));
            for (request, answer) in requests.iter().zip(&exchange.answers) {
                self.note(request, answer);
            }
            exchange
        });
        self.tell(|| format!("w{number} says {requests:?}\n    -> {exchange:?} {answered}"));
        let engine = &mut self.workers[place].engine;
        match exchange {
            Some(exchange) if answered => engine.on_answers(pending, exchange),
            _ => engine.on_no_answer(pending),
        }
        self.effects(place);
    }

    fn note(&mut self, request: &Request, answer: &Answer) {
        if let (Request::Save(save), Answer::Saved(_)) = (request, answer) {
            let ids = save.remember.iter().cloned();
            self.happened.extend(ids.map(Happened::Committed));
        }
    }

    fn begin(&mut self, place: usize) {
        let time = self.time;
        let worker = &mut self.workers[place];
        if worker.run.is_some() || time >= worker.beat_at + LEASE / 2 {
            return;
        }
        if let Some(run) = worker.engine.next_run() {
            let events = run.events.map(|event| (event.seq, event.id.clone()));
            let events: Vec<_> = events.collect();
            let started = events.iter().cloned();
            let started = started.map(|(seq, id)| Happened::Started(seq, id));
            self.happened.extend(started);
            worker.run = Some((run.id, run.attempt, events.clone()));
            let number = worker.number;
            self.tell(|| format!("w{number} runs {events:?}"));
        }
        self.effects(place);
    }

    fn end(&mut self, place: usize) {
        let Some((id, attempt, events)) = self.workers[place].run.take() else {
            return;
        };
        let failed = |permanent, millis| {
            Err(RunError {
                error: "no luck".into(),
                permanent,
                wait: Duration::from_millis(millis),
                on_exhausted: None,
            })
        };
        let outcome = match self.random.u32(0..10) {
            _ if self.calm => Ok(()),
            0 => failed(false, 100),
            1 => failed(false, 200_000),
            2 => failed(true, 0),
            _ => Ok(()),
        };
        let number = self.workers[place].number;
        self.tell(|| format!("w{number} ends {events:?}: {outcome:?}"));
        self.workers[place].engine.finish(&id, attempt, outcome);
        self.effects(place);
    }

    fn wake(&mut self, place: usize) {
        let (time, worker) = (self.time, &mut self.workers[place]);
        let before = worker.timers.len();
        worker.timers.retain(|at| *at > time);
        if worker.timers.len() < before {
            worker.engine.wake(&key());
        }
        self.effects(place);
    }

    fn sweep(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        let sweep = Sweep {
            limit: 10,
            longest_wait: Duration::from_millis(LEASE),
            stuck_after: Duration::from_millis(LEASE),
        };
        let swept = at_once(self.store.sweep(&self.group, &worker.session, &sweep));
        worker.engine.claim(swept.due);
        worker.engine.claim(swept.orphaned);
    }

    fn effects(&mut self, place: usize) {
        for effect in self.workers[place].engine.take_effects() {
            let number = self.workers[place].number;
            self.tell(|| format!("w{number} {effect:?}"));
            match effect {
                Effect::Settle {
                    tokens, outcome, ..
                } => tokens.iter().for_each(|token| self.settle(token, &outcome)),
                Effect::Wake { after, .. } => {
                    let after = u64::try_from(after.as_millis()).expect("it is short");
                    let at = self.time + after;
                    self.workers[place].timers.push(at);
                }
                Effect::Abort(id) => {
                    let run = &mut self.workers[place].run;
                    run.take_if(|(running, ..)| *running == id);
                }
                Effect::Key { what, .. } => match what {
                    KeyChange::Superseded { events } => self.superseded += events,
                    KeyChange::RepairWanted(RepairWanted { producer, from, to }) => self
                        .send_again(|stamp| {
                            producer.as_deref() == Some(stamp.producer())
                                && (from..=to).contains(&stamp.seq())
                        }),
                    KeyChange::Corrected { .. }
                    | KeyChange::Unreadable(_)
                    | KeyChange::Missing { .. } => panic!("nothing was lost: {what:?}"),
                    _ => {}
                },
                Effect::SettleControl { .. } | Effect::Event { .. } => {}
            }
        }
    }

    fn settle(&mut self, token: Token, outcome: &EventOutcome) {
        // The connection over which it came may be gone.
        let Some((message, _)) = self.in_flight.remove(&token) else {
            return;
        };
        let right = match outcome {
            EventOutcome::Stale
            | EventOutcome::Rewound
            | EventOutcome::Late
            | EventOutcome::Deferred(_) => false,
            EventOutcome::Conflict(_) => self.rules.policy.order.has_versions(),
            EventOutcome::Superseded => self.rules.policy.order.has_versions(),
            _ => true,
        };
        assert!(right, "{:?} is {outcome:?}", self.messages[message]);
        self.messages[message].at = At::Gone;
        if *outcome == EventOutcome::Superseded {
            self.superseded += 1;
        }
    }

    /// An operator does something to the key, if it is free.
    fn operate(&mut self, verb: &Verb) {
        self.names += 1;
        let name = WorkerId::operator("test", self.names as u64);
        let session = at_once(self.store.open(&self.group, &name)).session;
        let lease = Duration::from_millis(LEASE);
        at_once(self.store.heartbeat(&self.group, &session, lease));
        let acquire = Request::Acquire(Acquire {
            key: key(),
            mode: AcquireMode::HandOver,
            letters: Vec::new(),
            look_up: Vec::new(),
        });
        let exchange = at_once(self.store.exchange(&self.group, &session, &[acquire]));
        if let Some(Answer::Owned(owned)) = exchange.answers.into_iter().next() {
            let policy = self.group.policy().clone();
            let mut state = self.state();
            let mut transition = Transition::new(&mut state, &policy, exchange.now);
            transition.take_mail(&owned.mail);
            if let Previous::Died(worker) = &owned.previous
                && !worker.is_operator()
            {
                transition.owner_died(worker.as_str());
            }
            transition.wake();
            transition.watch_gap(false);
            let done = transition.operate(verb, None);
            let changes = std::mem::take(&mut transition.changes);
            self.told.push(format!("operator: {verb}: {done:?}"));
            let mut save = Save::new(key(), owned.fence);
            save.listing =
                Listing::default().change(state.listing(&policy, Listing::default(), exchange.now));
            save.listing.due = save.listing.due.or(Some(None));
            save.listing.halted = save.listing.halted.or(Some(None));
            save.body = Some(state.encode(owned.fence));
            save.changes = changes;
            save.taken = owned.mail.len();
            save.release = true;
            let save = Request::Save(Box::new(save));
            at_once(self.store.exchange(&self.group, &session, &[save]));
        }
        at_once(self.store.leave(&self.group, &session));
    }
}
