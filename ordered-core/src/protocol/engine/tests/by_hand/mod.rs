//! The engine by hand: what comes from where, in an order that is hard to meet from outside.

mod ahead;
mod arrival;
mod behind;
mod causal;
mod deaths;
mod doubt;
mod gaps_of_producers;
mod halted;
mod lamport;
mod mail;
mod monotonic;
mod operator;
mod silent_producers;

use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::Clock;
use crate::event::{Envelope, EventId, Key};
use crate::handler::{OnExhausted, OnPassed, OnRepeat};
use crate::protocol::KeyState;
use crate::protocol::engine::{
    Effect, Engine, Event, EventChange, EventOutcome, Pending, Rules, RunError, RunId,
};
use crate::protocol::{Policy, WorkerId};
use crate::store::Group;
use crate::store::{Inspect, MemoryStore, Request, Session, Store, Sweep};
use crate::transport::Token;

const LEASE: Duration = Duration::from_secs(60);

fn rules(policy: Policy) -> Rules {
    Rules {
        worker: "w".into(),
        policy,
        batch: 1,
        commit_window: 0,
        on_exhausted: OnExhausted::Halt,
        on_late: OnPassed::DeadLetter,
        on_stale: OnPassed::DeadLetter,
        on_repeat: OnRepeat::Skip,
        own_backoff: Duration::ZERO,
        concurrency: 10,
        max_keys: 100,
        read_ahead: 1_000,
        overflow: true,
    }
}

fn key() -> Key {
    Key::new("k").expect("it is short")
}

/// The first and the last seq of a run.
type Seqs = (u64, u64);

/// A worker.
struct Worker {
    session: Session,
    engine: Engine<()>,
    effects: Vec<Effect>,
    run: Option<(RunId, u32)>,
}

/// A store, and whoever works on it.
struct Bench {
    clock: Clock,
    store: MemoryStore,
    group: Group,
    rules: Rules,
    tokens: u64,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = rules(Policy::default());
        change(&mut rules);
        let clock = Clock::manual(1_000_000_000);
        Self {
            store: MemoryStore::with_clock(clock.clone()),
            clock,
            group: Group::new("test", rules.policy.clone()),
            rules,
            tokens: 0,
        }
    }

    /// A worker with a good lease.
    fn worker(&self, name: &str) -> Worker {
        let id = WorkerId::new(name);
        let opened = self.store.open(&self.group, &id);
        let session = opened.now_or_never().expect("at once").expect("it opens");
        let rules = Rules {
            worker: name.into(),
            ..self.rules.clone()
        };
        let mut worker = Worker {
            session: session.session,
            engine: Engine::new(rules),
            effects: Vec::new(),
            run: None,
        };
        self.beat(&mut worker);
        worker
    }

    fn beat(&self, worker: &mut Worker) {
        let beat = self.store.heartbeat(&self.group, &worker.session, LEASE);
        let beat = beat.now_or_never().expect("at once").expect("it is open");
        worker.engine.set_now(beat.now);
        worker.engine.set_paused(beat.paused);
    }

    /// The worker dies, and the others notice.
    fn die(&self, worker: Worker, others: &mut [&mut Worker]) {
        drop(worker);
        for _ in 0..2 {
            self.clock.advance(35_000);
            others.iter_mut().for_each(|other| self.beat(other));
            for other in others.iter_mut() {
                self.claim_swept(other);
            }
        }
    }

    /// The worker takes over what needs an owner.
    fn claim_swept(&self, worker: &mut Worker) {
        let sweep = Sweep {
            limit: 100,
            longest_wait: LEASE,
            stuck_after: LEASE,
        };
        let swept = self.store.sweep(&self.group, &worker.session, &sweep);
        let swept = swept.now_or_never().expect("at once").expect("it is open");
        worker.engine.claim(swept.due);
        worker.engine.claim(swept.orphaned);
    }

    fn deliver(&mut self, worker: &mut Worker, seq: u64) -> Token {
        self.deliver_as(worker, seq, &seq.to_string())
    }

    fn deliver_all(&mut self, worker: &mut Worker, seqs: std::ops::RangeInclusive<u64>) {
        for seq in seqs {
            self.deliver(worker, seq);
        }
    }

    fn deliver_as(&mut self, worker: &mut Worker, seq: u64, id: &str) -> Token {
        self.deliver_with(worker, seq, id, |_| {})
    }

    fn deliver_with(
        &mut self,
        worker: &mut Worker,
        seq: u64,
        id: &str,
        change: impl FnOnce(&mut Event<()>),
    ) -> Token {
        self.tokens += 1;
        let token = Token(self.tokens);
        let id = EventId::new(id).expect("it is short");
        let mut event = Event::delivered(seq, id, Envelope::new("body"), (), token);
        change(&mut event);
        worker.engine.deliver(&key(), event);
        token
    }

    /// One round trip to the store.
    fn exchange(&self, worker: &mut Worker) -> Vec<Request> {
        let (requests, pending) = worker.engine.take_requests(100, 1 << 20);
        self.carry_out(worker, &requests, Some(pending));
        requests
    }

    /// The store carries a call out. Without what is pending, the answer is lost.
    fn carry_out(
        &self,
        worker: &mut Worker,
        requests: &[Request],
        pending: Option<Vec<Pending<()>>>,
    ) {
        let exchange = self.store.exchange(&self.group, &worker.session, requests);
        let exchange = exchange.now_or_never().expect("at once");
        let exchange = exchange.expect("it is open");
        if let Some(pending) = pending {
            worker.engine.on_answers(pending, exchange);
        }
        worker.effects.extend(worker.engine.take_effects());
    }

    /// A round trip that is carried out, or not, and is not answered.
    fn lose_answer(&self, worker: &mut Worker, carried_out: bool) {
        let (requests, pending) = worker.engine.take_requests(100, 1 << 20);
        assert!(!requests.is_empty(), "it says something");
        if carried_out {
            self.carry_out(worker, &requests, None);
        }
        worker.engine.on_no_answer(pending);
    }

    /// Round trips until nothing is left to say.
    fn settle(&self, worker: &mut Worker) {
        for _ in 0..20 {
            if self.exchange(worker).is_empty() {
                return;
            }
        }
        panic!("it goes on and on: {:?}", worker.engine);
    }

    /// Runs whatever there is to run, and says which runs that were.
    fn run_all(&self, worker: &mut Worker) -> Vec<Seqs> {
        let mut runs = Vec::new();
        loop {
            self.settle(worker);
            if let Some(run) = worker.begin() {
                runs.push(run);
                worker.end(Ok(()));
            } else if self.exchange(worker).is_empty() {
                return runs;
            }
        }
    }

    /// The same, and says the ids in the order in which they were committed.
    fn run_ids(&self, worker: &mut Worker) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..40 {
            ids.extend(committed(&self.exchange(worker)));
            if worker.begin().is_some() {
                worker.end(Ok(()));
            }
        }
        ids
    }

    fn state(&self) -> KeyState {
        let key = key();
        let record = self.store.read(&self.group, &key).now_or_never();
        let record = record.expect("at once").expect("it is open");
        let body = record.and_then(|record| Some((record.body?, record.body_fence)));
        body.map_or_else(
            || KeyState::new(1),
            |(body, fence)| KeyState::decode(&body, fence).expect("it is of this version"),
        )
    }

    fn owner(&self) -> Option<WorkerId> {
        let key = key();
        let record = self.store.read(&self.group, &key).now_or_never();
        let record = record.expect("at once").expect("it is open");
        Some(record?.owner?.worker)
    }

    fn held(&self) -> u64 {
        let totals = self.store.totals(&self.group).now_or_never();
        totals.expect("at once").expect("it is open").held_events
    }
}

impl Worker {
    fn begin(&mut self) -> Option<Seqs> {
        let run = self.engine.next_run()?;
        let mut seqs = run.events.map(|event| event.seq);
        let first = seqs.next()?;
        let seqs = (first, seqs.last().unwrap_or(first));
        self.run = Some((run.id, run.attempt));
        self.effects.extend(self.engine.take_effects());
        Some(seqs)
    }

    /// Which attempt the run is that has begun last.
    fn attempt(&self) -> u32 {
        self.run.as_ref().map_or(0, |(_, attempt)| *attempt)
    }

    fn end(&mut self, outcome: Result<(), RunError>) {
        let (id, attempt) = self.run.take().expect("a run has begun");
        self.engine.finish(&id, attempt, outcome);
        self.effects.extend(self.engine.take_effects());
    }

    /// What happened to the deliveries, by seq, since this was asked last.
    fn settled(&mut self) -> Vec<(u64, EventOutcome)> {
        self.effects.extend(self.engine.take_effects());
        let effects = std::mem::take(&mut self.effects).into_iter();
        let settled = effects.filter_map(|effect| match effect {
            Effect::Settle {
                seq,
                tokens,
                outcome,
                ..
            } => Some(vec![(seq, outcome); tokens.len()]),
            _ => None,
        });
        settled.flatten().collect()
    }

    fn dispositions(&mut self) -> Vec<EventOutcome> {
        self.settled().into_iter().map(|(_, what)| what).collect()
    }

    fn says(&self, what: impl Fn(&EventChange) -> bool) -> usize {
        let is_it =
            |effect: &&Effect| matches!(effect, Effect::Event { what: said, .. } if what(said));
        self.effects.iter().filter(is_it).count()
    }
}

/// The ids that these requests commit.
fn committed(said: &[Request]) -> Vec<String> {
    let ids = said.iter().flat_map(|request| match request {
        Request::Save(save) => save.remember.clone(),
        Request::Acquire(_) => Vec::new(),
    });
    ids.map(|id| id.to_string()).collect()
}

fn failed() -> Result<(), RunError> {
    Err(RunError {
        error: "no luck".into(),
        permanent: false,
        wait: Duration::from_millis(100),
        on_exhausted: None,
    })
}

fn never() -> Result<(), RunError> {
    Err(RunError {
        error: "never".into(),
        permanent: true,
        wait: Duration::ZERO,
        on_exhausted: None,
    })
}

/// The event that was delivered to a key at rest runs under this number, and costs one acquisition and one save.
fn runs_at_the_least_cost(bench: &Bench, w: &mut Worker, seq: u64) {
    assert!(matches!(bench.exchange(w)[..], [Request::Acquire(_)]));
    assert_eq!(bench.exchange(w), []);
    assert_eq!(w.begin(), Some((seq, seq)));
    w.end(Ok(()));
    let said = bench.exchange(w);
    let [Request::Save(save)] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(save.release && save.remember.len() == 1 && save.changes.is_empty());
    assert!(w.engine.take_requests(1, 1).0.is_empty() && w.engine.is_idle());
    assert_eq!((bench.state().last_seq, bench.owner()), (seq, None));
}

#[test]
fn an_event_in_order_costs_one_acquisition_and_one_save() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 1);
    runs_at_the_least_cost(&bench, &mut w, 1);
    assert_eq!(w.settled(), [(1, EventOutcome::Committed)]);
}

#[test]
fn a_worker_that_drains_leaves_nothing_owned() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 1..=4);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((1, 1)));
    w.engine.begin_drain();
    bench.settle(&mut w);
    assert!(!w.engine.is_idle(), "it waits for what runs");
    w.end(Ok(()));
    bench.settle(&mut w);
    assert!(w.engine.is_idle());
    assert_eq!(w.settled(), [(1, EventOutcome::Committed)]);
    assert_eq!((bench.owner(), bench.held()), (None, 0));
}

#[test]
fn a_worker_that_drains_asks_what_happened_to_its_last_acquisition() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 1);
    bench.lose_answer(&mut w, true);
    w.engine.begin_drain();
    bench.settle(&mut w);
    assert!(w.engine.is_idle());
    assert_eq!(bench.owner(), None);
}
