//! Two workers that are handed a history, one step after the other.

use std::collections::HashMap;

use futures_util::FutureExt;

use crate::event::{Envelope, EventId, Key};
use crate::handler::{OnExhausted, OnPassed, OnRepeat};
use crate::protocol::engine::{Engine, Event, Rules};
use crate::protocol::{Order, Policy, Stamp, WorkerId};
use crate::store::{Group, MemoryStore, Request, Session, Store};
use crate::transport::Token;
use crate::worker::Control;

/// What happens next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The next event of the history goes to this worker.
    Deliver(usize),
    /// This worker and the store talk.
    Exchange(usize),
    /// This worker begins with an event, or ends it.
    Run(usize),
}

struct Crew {
    store: MemoryStore,
    group: Group,
    workers: Vec<(Session, Engine<()>, Option<crate::protocol::engine::RunId>)>,
    tokens: u64,
    ran: Vec<String>,
}

fn key() -> Key {
    Key::new("k").expect("it is short")
}

pub(super) fn play(order: Order, history: &[(u64, &str)], steps: &[Step]) -> Vec<String> {
    play_stamped(order, history, steps, |_| None)
}

pub(super) fn play_stamped(
    order: Order,
    history: &[(u64, &str)],
    steps: &[Step],
    stamp: impl Fn(&str) -> Option<Stamp>,
) -> Vec<String> {
    play_joined(order, history, steps, stamp, &[])
}

/// `joined` are producers that show their clocks first and say after which of their events they leave.
pub(super) fn play_joined(
    order: Order,
    history: &[(u64, &str)],
    steps: &[Step],
    stamp: impl Fn(&str) -> Option<Stamp>,
    joined: &[(&str, u64)],
) -> Vec<String> {
    let mut crew = Crew::new(order);
    for (producer, last) in joined {
        let producer = (*producer).to_owned();
        let clock = Control::Clock {
            producer: producer.clone(),
            after: 0,
            time: 0,
        };
        let leave = Control::Leave {
            producer,
            after: *last,
            time: 0,
        };
        for control in [clock, leave] {
            crew.control(&control);
        }
    }
    crew.finish();
    crew.play(history, steps, stamp);
    crew.ran
}

/// The events that are `lost` are not sent: their producers say so with gap-fills, before the others come or after.
pub(super) fn play_filled(
    order: Order,
    history: &[(u64, &str)],
    steps: &[Step],
    stamps: &HashMap<&str, Stamp>,
    (lost, first): (&[&str], bool),
) -> Vec<String> {
    let mut crew = Crew::new(order);
    let fills = lost.iter().map(|id| {
        let stamp = &stamps[id];
        let seq = crate::event::Seq::new(stamp.seq()).expect("it is in bounds");
        Control::GapFillOf {
            producer: stamp.producer().to_owned(),
            from: seq,
            to: seq,
        }
    });
    let fills: Vec<Control> = fills.collect();
    let sent: Vec<(u64, &str)> = history
        .iter()
        .copied()
        .filter(|(_, id)| !lost.contains(id))
        .collect();
    if first {
        fills.iter().for_each(|fill| crew.control(fill));
        crew.finish();
    }
    crew.play(&sent, steps, |id| stamps.get(id).cloned());
    if !first {
        fills.iter().for_each(|fill| crew.control(fill));
        crew.finish();
    }
    crew.ran
}

impl Crew {
    fn new(order: Order) -> Self {
        let policy = Policy {
            order,
            ..Policy::default()
        };
        let (store, group) = (MemoryStore::new(), Group::new("test", policy.clone()));
        let worker = |name: &str| {
            let id = WorkerId::new(name);
            let opened = store.open(&group, &id).now_or_never();
            let session = opened.expect("at once").expect("it opens").session;
            let lease = std::time::Duration::from_secs(60);
            let beat = store.heartbeat(&group, &session, lease).now_or_never();
            let beat = beat.expect("at once").expect("it is open");
            let rules = Rules {
                worker: name.to_owned(),
                policy: policy.clone(),
                batch: 1,
                commit_window: 0,
                on_exhausted: OnExhausted::Halt,
                on_late: OnPassed::DeadLetter,
                on_stale: OnPassed::DeadLetter,
                on_repeat: OnRepeat::Skip,
                own_backoff: std::time::Duration::ZERO,
                concurrency: 1,
                max_keys: 4,
                read_ahead: 100,
                overflow: true,
            };
            let mut engine = Engine::new(rules);
            engine.set_now(beat.now);
            (session, engine, None)
        };
        let workers = ["w1", "w2"].map(worker).into();
        Self {
            store,
            group,
            workers,
            tokens: 0,
            ran: Vec::new(),
        }
    }

    fn deliver(&mut self, worker: usize, (seq, id): (u64, &str), stamp: Option<Stamp>) {
        self.tokens += 1;
        let id = EventId::new(id).expect("it is short");
        let token = Token(self.tokens);
        let event = Event::delivered(seq, id, Envelope::new("x"), (), token).stamped(stamp);
        self.workers[worker].1.deliver(&key(), event);
    }

    fn exchange(&mut self, worker: usize) -> bool {
        let (session, engine, _) = &mut self.workers[worker];
        let (requests, pending): (Vec<Request>, _) = engine.take_requests(10, 1 << 20);
        if requests.is_empty() {
            return false;
        }
        let exchange = self.store.exchange(&self.group, session, &requests);
        let exchange = exchange.now_or_never().expect("at once");
        engine.on_answers(pending, exchange.expect("it is open"));
        engine.take_effects();
        true
    }

    fn run(&mut self, worker: usize) -> bool {
        let (_, engine, running) = &mut self.workers[worker];
        if let Some(id) = running.take() {
            engine.finish(&id, 1, Ok(()));
            return true;
        }
        let Some(run) = engine.next_run() else {
            return false;
        };
        let ids = run.events.map(|event| event.id.to_string());
        self.ran.extend(ids);
        *running = Some(run.id);
        true
    }

    /// Everything that was delivered comes to its end.
    fn finish(&mut self) {
        for _ in 0..1_000 {
            let mut busy = false;
            for worker in 0..self.workers.len() {
                busy |= self.exchange(worker) | self.run(worker);
                busy |= self.workers[worker].1.outgoing() > 0;
            }
            if !busy {
                let idle = self.workers.iter().all(|(_, engine, _)| engine.is_idle());
                assert!(idle, "{:?}", self.workers);
                return;
            }
        }
        panic!("it goes on and on");
    }

    fn control(&mut self, control: &Control) {
        self.tokens += 1;
        let token = Token(self.tokens);
        self.workers[0].1.control(&key(), control.clone(), token);
    }

    fn play(
        &mut self,
        history: &[(u64, &str)],
        steps: &[Step],
        stamp: impl Fn(&str) -> Option<Stamp>,
    ) {
        let mut history = history.iter();
        for step in steps {
            match *step {
                Step::Deliver(worker) => {
                    if let Some(event) = history.next() {
                        self.deliver(worker, *event, stamp(event.1));
                    }
                }
                Step::Exchange(worker) => drop(self.exchange(worker)),
                Step::Run(worker) => drop(self.run(worker)),
            }
        }
        for event in history {
            self.deliver(0, *event, stamp(event.1));
        }
        self.finish();
    }
}
