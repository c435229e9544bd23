//! One key, a broker, a few workers, an operator, and all that can go wrong with them.

mod broker;
mod operator;
mod workers;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::Clock;
use crate::event::{EventId, Key};
use crate::handler::{OnExhausted, OnPassed, OnRepeat};
use crate::protocol::engine::{Engine, Pending, Rules, RunId};
use crate::protocol::{KeyState, Order, Policy, Stamp, Verb};
use crate::store::{Group, Inspect, MemoryStore, Request, Session};
use crate::transport::Token;

const LEASE: u64 = 1_000;
/// After so many rounds in which nothing goes wrong, all that is missing has been asked for: it took 28 at most.
const ASKED: u32 = 60;
/// After so many everything is done.
const ROUNDS: u32 = 200;

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
    seed: u64,
    /// What happened; not noted where many seeds are run, because it takes a third of their time.
    told: Option<Vec<String>>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.seed;
            eprintln!("seed {seed}: {:?} {:?}", self.broker, self.rules);
            match &self.told {
                Some(told) => told.iter().for_each(|line| eprintln!("{line}")),
                None => {
                    eprintln!("ORDERED_SEED={seed} ORDERED_RUNS=1 tells what happened before it")
                }
            }
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
            seed,
            told: (super::runs() == 1).then(Vec::new),
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

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(format!("{:>6} {}", self.time, what()));
        }
    }

    pub(super) fn run(mut self) -> Self {
        for _ in 0..self.random.usize(20..200) {
            self.step();
        }
        self.tell(|| "nothing goes wrong any more".into());
        self.calm = true;
        self.operate(&Verb::Resume);
        for round in 0..ROUNDS {
            if self.is_over() {
                return self;
            }
            if round == ASKED {
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
}
