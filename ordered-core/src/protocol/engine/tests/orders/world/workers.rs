//! What the workers do around their engines.

use std::time::Duration;

use super::{Happened, LEASE, Worker, World, at_once, key};
use crate::protocol::engine::{Effect, Engine, KeyChange, Rules, RunError};
use crate::protocol::{RepairWanted, WorkerId};
use crate::store::{Answer, Request, Store, Sweep};

impl World {
    pub(super) fn start_worker(&mut self) {
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

    pub(super) fn crash(&mut self, place: usize) {
        let worker = self.workers.remove(place);
        let number = worker.number;
        self.tell(|| format!("w{number} crashes"));
        self.disconnect(number);
        self.start_worker();
        if self.consumer == number {
            self.move_consumer();
        }
    }

    pub(super) fn beat(&mut self, place: usize) {
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

    pub(super) fn ask(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        if worker.call.is_none() {
            let (requests, pending) = worker.engine.take_requests(10, 1 << 20);
            if !requests.is_empty() {
                worker.call = Some((requests, pending));
            }
        }
    }

    /// One round trip to the store, which may not be carried out, and may not be answered.
    pub(super) fn exchange(&mut self, place: usize, carried_out: bool, answered: bool) {
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

    pub(super) fn begin(&mut self, place: usize) {
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

    pub(super) fn end(&mut self, place: usize) {
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

    pub(super) fn wake(&mut self, place: usize) {
        let (time, worker) = (self.time, &mut self.workers[place]);
        let before = worker.timers.len();
        worker.timers.retain(|at| *at > time);
        if worker.timers.len() < before {
            worker.engine.wake(&key());
        }
        self.effects(place);
    }

    pub(super) fn sweep(&mut self, place: usize) {
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

    pub(super) fn effects(&mut self, place: usize) {
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
}
