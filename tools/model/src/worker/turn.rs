use ordered_core::internal::engine::{Effect, EventOutcome, RunError, Tokens};
use ordered_core::store::{Answer, Request};
use ordered_core::transport::Token;
use std::time::Duration;

use super::{Answered, Call, Running, Worker};
use crate::Model;
use crate::bounds::TICK;
use crate::event::{KeyNumber, Slot, Which, key, number, of_token, token};
use crate::mutation::Mutation;
use crate::store::{Lease, Manner, NOW, Who};
use crate::world::World;

/// How many keys one call is about at the most.
const MOST: usize = 16;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    FailedPermanently,
    FailedForLong,
}

/// A worker's turn: what the loop of the worker that ships does with its engine when something happens.
pub(crate) struct Turn<'a> {
    pub(crate) model: &'a Model,
    pub(crate) world: &'a mut World,
    pub(crate) slot: Slot,
}

impl Turn<'_> {
    fn worker(&mut self) -> &mut Worker {
        &mut self.world.workers[usize::from(self.slot)]
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.model.mutation == Some(mutation)
    }

    pub(crate) fn deliver(&mut self, which: Which) {
        let bounds = &self.model.bounds;
        let again = bounds.marks_repeats && self.world.delivered.contains(which);
        if bounds.marks_repeats {
            self.world.delivered.insert(which);
        }
        self.world.queue[usize::from(which)] -= 1;
        let forgets = self.is(Mutation::ForgetsNumbering);
        let worker = self.worker();
        worker.live[usize::from(which)] += 1;
        let connection = worker.connection;
        if let Some(said) = bounds.said(which) {
            if self.is(Mutation::FillIsForgotten) {
                return self.settle(token(which, connection), &EventOutcome::Duplicate);
            }
            let token = token(which, connection);
            let worker = self.worker();
            worker.engine.control(&key(0), said.control(), token);
            return;
        }
        let mut event = bounds.event(which, connection);
        event.redelivered = again;
        event.epoch = event.epoch.filter(|_| !forgets);
        worker.engine.deliver(&key(bounds.key_of(which)), event);
        if self.is(Mutation::AckOnDelivery) {
            self.settle(token(which, connection), &EventOutcome::Committed);
        }
    }

    /// Sends what the keys have to say.
    pub(crate) fn ask(&mut self) {
        let worker = self.worker();
        let (requests, pending) = worker.engine.take_requests(MOST, usize::MAX);
        if requests.is_empty() {
            return;
        }
        if self.is(Mutation::AckOnAsk) {
            let saves = requests.iter().filter_map(|request| match request {
                Request::Save(save) => Some(save.remember.clone()),
                Request::Acquire(_) => None,
            });
            let ids: Vec<_> = saves.flatten().collect();
            let bounds = self.model.bounds;
            for which in bounds
                .published()
                .filter(|which| ids.contains(&bounds.id(*which)))
            {
                self.settle_all(which);
            }
        }
        self.worker().call = Some(Call {
            requests,
            pending,
            answer: None,
        });
    }

    /// The store carries the call out.
    pub(crate) fn apply(&mut self) {
        let numbered = !self.is(Mutation::CallsAreNotNumbered);
        let worker = self.worker();
        if numbered {
            worker.late.clear();
        }
        let Some(call) = &mut worker.call else {
            return;
        };
        let requests = std::mem::take(&mut call.requests);
        let answered = self.carry_out_at_store(&requests);
        if let Some(call) = &mut self.worker().call {
            call.answer = Some(answered);
        }
    }

    /// The store carries out a call that the worker has given up.
    pub(crate) fn apply_late(&mut self) {
        let requests = std::mem::take(&mut self.worker().late);
        self.carry_out_at_store(&requests);
    }

    fn carry_out_at_store(&mut self, requests: &[Request]) -> Answered {
        if self.worker().session_lost {
            return Answered::StateLost;
        }
        let manner = Manner {
            slot: self.slot,
            dedup_ttl: self.model.dedup_ttl(),
            mutation: self.model.mutation,
        };
        let mut exchange = self.world.store.exchange(manner, &[]);
        for request in requests {
            let before = self.world.store.records[number(request.key())].clone();
            let mut one = self
                .world
                .store
                .exchange(manner, std::slice::from_ref(request));
            let answer = one.answers.remove(0);
            let who = Who::Worker(self.slot);
            self.model.judge(self.world, who, request, &answer, &before);
            exchange.answers.push(answer);
        }
        Answered::Exchange(exchange)
    }

    /// The answer arrives.
    pub(crate) fn reply(&mut self) {
        let adopts = !self.is(Mutation::AdoptsNothing);
        let bounds = self.model.bounds;
        let worker = self.worker();
        let Some(call) = worker.call.take() else {
            return;
        };
        match call.answer {
            Some(Answered::Exchange(exchange)) => {
                worker.paused = exchange.paused;
                worker.engine.on_answers(call.pending, exchange);
            }
            Some(Answered::StateLost) => {
                worker.engine.on_no_answer(call.pending);
                worker.session_lost = false;
                if adopts {
                    worker.engine.adopt();
                    worker.adopting = true;
                } else {
                    worker.engine = Worker::new(&bounds).engine;
                }
            }
            None => {}
        }
    }

    /// The worker gives the call up.
    pub(crate) fn give_up(&mut self) {
        let mutation = self.model.mutation;
        let worker = self.worker();
        let Some(call) = worker.call.take() else {
            return;
        };
        if call.answer.is_none() {
            worker.late.clone_from(&call.requests);
        }
        match (mutation, &call.answer) {
            (Some(Mutation::UnknownIsDone), answer) => {
                let done = |request: &Request| match request {
                    Request::Acquire(_) => Answer::Unknown,
                    Request::Save(save) => Answer::Saved(ordered_core::store::Saved {
                        released: save.release,
                        ..Default::default()
                    }),
                };
                let answers = match answer {
                    Some(Answered::Exchange(exchange)) => exchange.answers.clone(),
                    _ => call.requests.iter().map(done).collect(),
                };
                let paused = worker.paused;
                let exchange = ordered_core::store::Exchange {
                    now: NOW,
                    paused,
                    answers,
                };
                worker.engine.on_answers(call.pending, exchange);
            }
            (Some(Mutation::UnknownIsForgotten), _) => {
                let full = Answer::Full(ordered_core::protocol::QuotaLimit::KeyEvents);
                let paused = worker.paused;
                let answers = call.pending.iter().map(|_| full.clone()).collect();
                let exchange = ordered_core::store::Exchange {
                    now: NOW,
                    paused,
                    answers,
                };
                worker.engine.on_answers(call.pending, exchange);
            }
            _ => worker.engine.on_no_answer(call.pending),
        }
    }

    /// A heartbeat, and its answer.
    pub(crate) fn beat(&mut self) {
        let slot = usize::from(self.slot);
        let paused = self.world.store.paused;
        let forgets = self.is(Mutation::ForgetsLapse);
        let adopts = !self.is(Mutation::AdoptsNothing);
        let bounds = self.model.bounds;
        self.world.store.leases[slot] = Lease::Alive;
        let worker = self.worker();
        if std::mem::take(&mut worker.session_lost) {
            if adopts {
                worker.engine.adopt();
                worker.adopting = true;
            } else {
                worker.engine = Worker::new(&bounds).engine;
                worker.runs.clear();
            }
        }
        if !std::mem::replace(&mut worker.lease, true) && !forgets {
            worker.engine.on_lapse();
        }
        worker.paused = paused;
        worker.engine.set_paused(paused);
    }

    pub(crate) fn sweep(&mut self, found: KeyNumber) {
        self.worker().engine.claim([key(found)]);
    }

    pub(crate) fn wake(&mut self, woken: KeyNumber) {
        let worker = self.worker();
        worker.wakes[woken] = false;
        worker.engine.wake(&key(woken));
    }

    pub(crate) fn tick_overflow(&mut self) {
        self.worker().engine.tick();
    }

    pub(crate) fn go_on_adopting(&mut self) {
        let worker = self.worker();
        worker.adopting = worker.engine.go_on_adopting();
    }

    pub(crate) fn begin_drain(&mut self) {
        let worker = self.worker();
        worker.draining = true;
        worker.engine.begin_drain();
    }

    pub(crate) fn stop_runs(&mut self) {
        self.worker().engine.stop_runs();
    }

    pub(crate) fn finish(&mut self, place: usize, outcome: Outcome) {
        let run = self.worker().runs.remove(place);
        let failed = |permanent, wait| RunError {
            error: "it failed".into(),
            permanent,
            wait,
            on_exhausted: None,
        };
        let ended = match outcome {
            Outcome::Done => Ok(()),
            Outcome::Failed => Err(failed(false, Duration::ZERO)),
            Outcome::FailedForLong => Err(failed(false, TICK)),
            Outcome::FailedPermanently => Err(failed(true, Duration::ZERO)),
        };
        let acks = match outcome {
            Outcome::Done => self.is(Mutation::AckOnDone),
            _ => self.is(Mutation::AckOnFailure),
        };
        let bounds = self.model.bounds;
        for (seq, id) in &run.events {
            for which in bounds.find(run.key, *seq, id) {
                if outcome == Outcome::Done {
                    self.world.pasts[run.key].handled.insert(which);
                }
                if acks {
                    self.settle_all(which);
                }
            }
        }
        self.worker().engine.finish(&run.id, run.attempt, ended);
    }

    /// Starts, settles and notes what the engine has ready, as the worker does after everything that happens.
    pub(crate) fn dispatch(&mut self) {
        self.carry_out();
        let blind = self.is(Mutation::StartsWithoutLease);
        let worker = self.worker();
        if (worker.lease || blind) && !worker.session_lost {
            while let Some(run) = self.worker().engine.next_run() {
                let events = run.events;
                let running = Running {
                    key: number(&run.id.key),
                    attempt: run.attempt,
                    events: events.map(|event| (event.seq, event.id.clone())).collect(),
                    excused: false,
                    id: run.id,
                };
                self.model.judge_start(self.world, self.slot, running);
            }
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        for effect in self.worker().engine.take_effects() {
            match effect {
                Effect::Settle {
                    tokens, outcome, ..
                } => self.settle_tokens(&tokens, &outcome),
                Effect::SettleControl { token, deferred } => {
                    let why = deferred.map(EventOutcome::Deferred);
                    self.settle(token, &why.unwrap_or(EventOutcome::Committed));
                }
                Effect::Wake { key, .. } => {
                    let never = self.is(Mutation::NeverWakes);
                    self.worker().wakes[number(&key)] = !never;
                }
                Effect::Abort(id) => {
                    let ignored = self.is(Mutation::AbortIsIgnored);
                    let worker = self.worker();
                    if ignored {
                        // The worker knows now that it has lost the key.
                        let runs = worker.runs.iter_mut().filter(|run| run.id == id);
                        runs.for_each(|run| run.excused = false);
                    } else {
                        worker.runs.retain(|run| run.id != id);
                    }
                }
                Effect::Event { .. } | Effect::Key { .. } => {}
            }
        }
    }

    fn settle_tokens(&mut self, tokens: &Tokens, outcome: &EventOutcome) {
        tokens.iter().for_each(|token| self.settle(token, outcome));
    }

    /// The broker is told what happened to a delivery.
    fn settle(&mut self, token: Token, outcome: &EventOutcome) {
        let (which, connection) = of_token(token);
        let place = usize::from(which);
        let late_is_stale = self.is(Mutation::LateIsStale);
        let worker = self.worker();
        if connection != worker.connection {
            // The broker has taken the delivery back.
            worker.stale[place] = worker.stale[place].saturating_sub(1);
            return;
        }
        if worker.live[place] == 0 {
            // A mistake has settled it before.
            return;
        }
        worker.live[place] -= 1;
        match outcome {
            EventOutcome::Deferred(_) => self.world.queue[place] += 1,
            EventOutcome::Late if late_is_stale => {}
            EventOutcome::Late | EventOutcome::Conflict(_) => {
                let key = self.model.bounds.key_of(which);
                self.world.pasts[key].dead.insert(which);
            }
            _ => {}
        }
    }

    fn settle_all(&mut self, which: Which) {
        let connection = self.worker().connection;
        while self.worker().live[usize::from(which)] > 0 {
            self.settle(token(which, connection), &EventOutcome::Committed);
        }
    }
}
