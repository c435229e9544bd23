//! What happens in the world, one step at a time.

use std::time::Duration;

use super::broker::At;
use super::scenario::{LEASE, What};
use super::worker::{Call, Handling};
use super::world::{World, at_once};
use crate::event::{Envelope, Key};
use crate::protocol::Verb;
use crate::protocol::engine::{Event, RunError};
use crate::store::{Inspect, KeyIndex, Store, Sweep};

/// How many rounds the world may take to come to rest when nothing goes wrong any more.
const ROUNDS: usize = 600;

impl World {
    pub(super) fn run_at_random(&mut self) {
        for _ in 0..self.scenario.steps {
            self.step();
        }
    }

    fn step(&mut self) {
        let place = self.scenario.random.usize(0..self.workers.len());
        match self.scenario.random.u32(0..20) {
            0..=3 => self.deliver(place),
            4..=6 => self.call(place),
            7..=9 => self.answer(place),
            10..=11 => self.begin_run(place),
            12..=14 => self.end_run(place),
            15 => self.wake(place),
            16 => self.pass_time(),
            17 => self.sweep(place),
            18 => self.workers[place].engine.tick(),
            _ => self.disturb(place),
        }
        self.beat_in_time();
        for place in 0..self.workers.len() {
            self.settle_effects(place);
        }
    }

    fn some<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.scenario.random.usize(0..of.len())])
    }

    fn deliver(&mut self, place: usize) {
        let worker = &self.workers[place];
        if worker.draining || self.broker.unsettled(worker.number) >= self.scenario.rules.read_ahead
        {
            return;
        }
        // What was published first mostly comes first.
        let mut ready = self.broker.ready(self.time);
        ready.truncate(4);
        if let Some(message) = self.some(&ready) {
            self.deliver_this(place, message);
        }
    }

    fn deliver_this(&mut self, place: usize, message: usize) {
        let number = self.workers[place].number;
        let (token, message) = self.broker.deliver(message, number);
        let again = message.redelivered;
        self.tell(|| format!("w{number} gets {} {:?} {again}", message.key, message.what));
        let engine = &mut self.workers[place].engine;
        match message.what {
            What::Event { seq, epoch, id } => {
                let envelope = Envelope::new(id.to_string());
                let mut event = Event::delivered(seq, id, envelope, (), token);
                event.epoch = epoch;
                event.redelivered = again;
                engine.deliver(&message.key, event);
            }
            What::Control(control) => engine.control(&message.key, control, token),
        }
    }

    fn call(&mut self, place: usize) {
        let most = self.scenario.random.usize(1..4);
        let worker = &mut self.workers[place];
        let (requests, pending) = worker.engine.take_requests(most, 1 << 20);
        if !requests.is_empty() {
            let answer = None;
            worker.calls.push(Call {
                requests,
                pending,
                answer,
            });
        }
    }

    /// A call is carried out, or its answer comes, or it is given up.
    fn answer(&mut self, place: usize) {
        let calls: Vec<usize> = (0..self.workers[place].calls.len()).collect();
        let Some(at) = self.some(&calls) else {
            return;
        };
        if self.chance(self.faults.lost_calls) {
            return self.give_up_call(place, at);
        }
        let call = &mut self.workers[place].calls[at];
        if call.answer.is_none() {
            let requests = call.requests.clone();
            let session = self.workers[place].session.clone();
            let answer = self.carry_out(&session, &requests);
            self.workers[place].calls[at].answer = Some(answer);
            if self.scenario.random.bool() {
                return;
            }
        }
        self.take_answer(place, at);
    }

    fn give_up_call(&mut self, place: usize, at: usize) {
        let number = self.workers[place].number;
        let call = self.workers[place].calls.remove(at);
        let done = call.answer.is_some();
        self.tell(|| format!("w{number} gives a call up, which was carried out: {done}"));
        self.workers[place].engine.on_no_answer(call.pending);
    }

    fn take_answer(&mut self, place: usize, at: usize) {
        let Call {
            pending, answer, ..
        } = self.workers[place].calls.remove(at);
        let engine = &mut self.workers[place].engine;
        match answer {
            Some(Ok(exchange)) => engine.on_answers(pending, exchange),
            _ => engine.on_no_answer(pending),
        }
    }

    fn begin_run(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        if !worker.has_lease(self.time) {
            return;
        }
        let Some(run) = worker.engine.next_run() else {
            return;
        };
        let replay = run.events[0].replay;
        let events = run.events.iter().map(|event| (event.seq, event.id.clone()));
        let handling = Handling {
            id: run.id.clone(),
            attempt: run.attempt,
            fence: run.fence,
            events: events.collect(),
            replay,
        };
        let number = worker.number;
        self.tell(|| format!("w{number} runs {handling:?}"));
        self.check_run(place, &handling);
        self.workers[place].handling.push(handling);
    }

    fn check_run(&self, place: usize, run: &Handling) {
        if self.ghost.lost {
            return;
        }
        let key = &run.id.key;
        for worker in &self.workers {
            let same = worker.handling.iter().any(|other| other.id.key == *key);
            assert!(
                !same || !worker.has_lease(self.time),
                "{key}: two runs at once"
            );
        }
        let record = at_once(self.store.read(&self.group, key)).expect("it is open");
        let record = record.expect("it is owned");
        let owner = record.owner.as_ref().map(|owner| owner.worker.clone());
        assert_eq!(
            owner.as_ref(),
            Some(&self.workers[place].session.worker),
            "{key}"
        );
        assert_eq!(record.fence, run.fence, "{key}");
        let state = self.state(key);
        assert!(!state.is_blocked(), "{key}: it runs while {state:?}");
        let (first, last) = (run.events[0].0, run.events[run.events.len() - 1].0);
        assert_eq!(
            last - first + 1,
            run.events.len() as u64,
            "{key}: a run has a hole"
        );
        if run.replay {
            return;
        }
        let before = (state.last_seq + 1..first).filter(|seq| !state.absent.contains(*seq));
        let window = u64::from(self.scenario.rules.commit_window);
        assert!(
            before.count() as u64 <= window,
            "{key}: {first} runs ahead of {state:?}"
        );
        assert!(first > state.last_seq, "{key}: {first} runs again");
        if self.group.policy().dedup_ttl >= Duration::from_secs(60) {
            for (seq, id) in &run.events {
                let named = (key.clone(), id.clone());
                assert!(
                    !self.ghost.remembered.contains(&named),
                    "{key}: {seq} is a repeat"
                );
            }
        }
    }

    fn end_run(&mut self, place: usize) {
        let runs: Vec<usize> = (0..self.workers[place].handling.len()).collect();
        let Some(at) = self.some(&runs) else {
            return;
        };
        let run = self.workers[place].handling[at].clone();
        let kills = |seq: u64| seq % 5 == 3;
        if self.faults.killers && run.events.iter().any(|(seq, _)| kills(*seq)) && self.chance(800)
        {
            return self.crash(place);
        }
        self.workers[place].handling.remove(at);
        let number = self.workers[place].number;
        let outcome = if self.chance(self.faults.failures) {
            Err(RunError {
                error: "no luck".into(),
                permanent: self.chance(200),
                wait: Duration::from_millis(self.scenario.random.u64(1..2_000)),
            })
        } else {
            let worker = self.workers[place].session.worker.to_string();
            for (_, id) in &run.events {
                let handled = (worker.clone(), run.id.key.clone(), id.clone());
                self.ghost.handled.insert(handled);
            }
            Ok(())
        };
        self.tell(|| format!("w{number} ends {:?}: {outcome:?}", run.id));
        self.workers[place]
            .engine
            .finish(&run.id, run.attempt, outcome);
    }

    fn wake(&mut self, place: usize) {
        let time = self.time;
        let worker = &mut self.workers[place];
        let due = worker.timers.iter().position(|(at, _)| *at <= time);
        if let Some(due) = due {
            let (_, key) = worker.timers.swap_remove(due);
            worker.engine.wake(&key);
        }
    }

    fn pass_time(&mut self) {
        let by = self.scenario.random.u64(1..LEASE / 4);
        self.pass(by);
    }

    pub(super) fn pass(&mut self, by: u64) {
        self.time += by;
        self.clock.advance(by);
    }

    fn beat_in_time(&mut self) {
        for place in 0..self.workers.len() {
            let worker = &self.workers[place];
            let due = worker
                .beat_at
                .is_none_or(|beat| self.time >= beat + LEASE / 4);
            if due && worker.sleeps_until <= self.time {
                self.beat(place);
            }
        }
    }

    fn sweep(&mut self, place: usize) {
        let sweep = Sweep {
            limit: 8,
            longest_wait: Duration::from_secs(10),
            stuck_after: Duration::from_secs(60),
        };
        let worker = &mut self.workers[place];
        if let Ok(swept) = at_once(self.store.sweep(&self.group, &worker.session, &sweep)) {
            worker.engine.claim(swept.due);
            worker.engine.claim(swept.orphaned);
        }
    }

    fn disturb(&mut self, place: usize) {
        if self.chance(self.faults.crashes * 4) {
            self.crash(place);
        } else if self.chance(self.faults.lapses * 4) {
            let asleep = self.time + self.scenario.random.u64(LEASE / 2..LEASE * 3);
            self.workers[place].sleeps_until = asleep;
        } else if self.chance(self.faults.clock_jumps * 4) {
            self.jump();
        } else if self.chance(self.faults.drains * 4) || self.workers[place].draining {
            self.drain(place);
        } else if self.chance(self.faults.operators * 4) {
            let keys = self.scenario.keys.clone();
            let verb = self.some_verb();
            if let Some(key) = self.some(&(0..keys.len()).collect::<Vec<_>>()) {
                self.operate(&keys[key], &verb);
            }
        } else if self.chance(self.faults.pauses * 4) {
            let paused = self.scenario.random.bool();
            self.tell(|| format!("the group is paused: {paused}"));
            at_once(self.store.set_paused(&self.group, paused)).expect("it is open");
        } else if self.faults.state_loss && self.chance(20) {
            self.lose_state();
        } else if self.chance(300)
            && let Some((session, requests)) = self.stray.pop()
        {
            // A call of a worker that is gone lay in a buffer.
            let _ = self.carry_out(&session, &requests);
        }
    }

    fn crash(&mut self, place: usize) {
        let worker = self.workers.remove(place);
        let number = worker.number;
        self.tell(|| format!("w{number} crashes"));
        self.broker.disconnect(number);
        for call in worker.calls {
            if call.answer.is_none() && self.chance(500) {
                self.stray.push((worker.session.clone(), call.requests));
            }
        }
        self.start_worker();
    }

    /// The store's clock is set.
    fn jump(&mut self) {
        let by = self.scenario.random.u64(1..5_000);
        if self.scenario.random.bool() {
            self.tell(|| format!("the clock goes back by {by}"));
            return self.clock.step_back(by);
        }
        let time = self.time;
        if self
            .workers
            .iter()
            .any(|worker| worker.jumped && worker.has_lease(time))
        {
            return;
        }
        self.tell(|| format!("the clock goes forward by {by}"));
        self.clock.advance(by);
        self.workers
            .iter_mut()
            .for_each(|worker| worker.jumped = true);
    }

    fn drain(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        if !worker.draining {
            worker.draining = true;
            worker.engine.begin_drain();
            let number = worker.number;
            return self.tell(|| format!("w{number} drains"));
        }
        if self.scenario.random.u32(0..10) == 0 {
            let stopped = worker.engine.stop_runs();
            let number = worker.number;
            self.tell(|| format!("w{number} stops {stopped:?}"));
            self.settle_effects(place);
        }
        self.end_drain(place);
    }

    fn end_drain(&mut self, place: usize) {
        if !self.workers[place].engine.is_idle() {
            return;
        }
        self.settle_effects(place);
        let worker = self.workers.remove(place);
        let (number, name) = (worker.number, worker.session.worker.clone());
        self.tell(|| format!("w{number} is drained"));
        if !self.ghost.lost {
            let owned = at_once(self.store.page(&self.group, KeyIndex::Owned, None));
            for record in owned.expect("it is open").records {
                let owner = record.owner.map(|owner| owner.worker);
                assert_ne!(
                    owner.as_ref(),
                    Some(&name),
                    "{}: a drained worker owns it",
                    record.key
                );
            }
        }
        let _ = at_once(self.store.leave(&self.group, &worker.session));
        self.broker.disconnect(number);
        self.start_worker();
    }

    fn lose_state(&mut self) {
        self.tell(|| "the store forgets everything".into());
        self.ghost.lost = true;
        self.store.forget_everything();
        (0..self.workers.len()).for_each(|place| self.beat(place));
        let _ = at_once(self.store.set_paused(&self.group, false));
    }

    /// Nothing goes wrong any more, and operators see to what has stopped. All events come to an end.
    pub(super) fn come_to_rest(&mut self) {
        self.tell(|| "nothing goes wrong any more".into());
        self.resting = true;
        self.faults = super::scenario::Faults::default();
        at_once(self.store.set_paused(&self.group, false)).expect("it is open");
        if self.ghost.lost {
            for message in &mut self.broker.messages {
                if message.at == At::Gone {
                    message.at = At::Ready { from: 0 };
                }
            }
        }
        for round in 0.. {
            self.round();
            let is_quiet = self.is_quiet();
            // What is held behind a halted key may leave no room for what is to come.
            if (is_quiet || round % 50 >= 40) && !self.see_to_halted() && is_quiet {
                break;
            }
            assert!(
                round < ROUNDS,
                "the world does not come to rest: {}",
                self.unrest()
            );
        }
        self.check_end();
    }

    fn round(&mut self) {
        for worker in &mut self.workers {
            worker.sleeps_until = 0;
        }
        self.beat_in_time();
        for place in 0..self.workers.len() {
            let number = self.workers[place].number;
            let room = self.scenario.rules.read_ahead;
            for message in self.broker.ready(self.time) {
                if !self.workers[place].draining
                    && self.broker.unsettled(number) < room
                    && self.scenario.random.bool()
                {
                    self.deliver_this(place, message);
                }
            }
            self.sweep(place);
            self.workers[place].engine.tick();
            self.workers[place].timers.sort_by_key(|(at, _)| *at);
            while self.workers[place]
                .timers
                .iter()
                .any(|(at, _)| *at <= self.time)
            {
                self.wake(place);
            }
            self.call(place);
            while !self.workers[place].calls.is_empty() {
                self.answer(place);
                self.settle_effects(place);
            }
            self.begin_run(place);
            self.end_run(place);
            self.settle_effects(place);
        }
        if let Some(place) = self.workers.iter().position(|worker| worker.draining) {
            self.end_drain(place);
        }
        self.pass(LEASE / 8);
    }

    fn is_quiet(&self) -> bool {
        let is_idle = |worker: &super::worker::Worker| {
            worker.engine.is_idle() && worker.calls.is_empty() && worker.handling.is_empty()
        };
        let totals = at_once(self.store.totals(&self.group)).expect("it is open");
        self.workers.iter().all(is_idle)
            && totals.owned == 0
            && self
                .broker
                .messages
                .iter()
                .all(|message| message.at == At::Gone)
            && self.scenario.keys.iter().all(|key| {
                let state = self.state(key);
                state.is_blocked() || !state.is_ready() && state.gap_since.is_none()
            })
    }

    /// Whether something was halted or paused.
    fn see_to_halted(&mut self) -> bool {
        let mut any = false;
        for key in self.scenario.keys.clone() {
            let state = self.state(&key);
            if state.paused {
                self.operate(&key, &Verb::Resume);
                any = true;
            } else if state.is_blocked() {
                assert!(
                    state.last_error.is_some(),
                    "{key} is halted without a reason: {state:?}"
                );
                self.operate(&key, &Verb::Retry);
                any = true;
            }
        }
        any
    }

    fn unrest(&self) -> String {
        let mut told = String::new();
        for key in &self.scenario.keys {
            told += &format!("{key}: {:?}\n", self.state(key));
        }
        let messages = self.broker.messages.iter();
        for message in messages.filter(|message| message.at != At::Gone) {
            told += &format!("{message:?}\n");
        }
        for worker in &self.workers {
            told += &format!("w{}: {:?}\n", worker.number, worker.engine);
        }
        told
    }

    fn check_end(&self) {
        let totals = at_once(self.store.totals(&self.group)).expect("it is open");
        let states: Vec<(&Key, _)> = self
            .scenario
            .keys
            .iter()
            .map(|key| (key, self.state(key)))
            .collect();
        assert_eq!(
            (totals.held_events, totals.held_bytes),
            (0, 0),
            "{states:?}"
        );
        assert_eq!((totals.halted, totals.gaps), (0, 0), "{states:?}");
        let listed = at_once(self.store.page(&self.group, KeyIndex::Listed, None));
        let listed: Vec<Key> = listed
            .expect("it is open")
            .records
            .into_iter()
            .map(|r| r.key)
            .collect();
        for (key, state) in &states {
            assert_eq!(listed.contains(key), !state.is_idle(), "{key}: {state:?}");
        }
        if self.ghost.lost {
            return;
        }
        for place in self.ghost.places() {
            let (key, epoch, seq) = place;
            let state = self.state(key);
            let is_over = *epoch < state.epoch || *seq <= state.last_seq;
            let ghost = &self.ghost;
            let known = ghost.committed.contains_key(place)
                || ghost.dead.contains(place)
                || ghost.skipped.contains(place)
                || *epoch < state.epoch;
            assert!(is_over && known, "{place:?} is lost: {state:?}");
        }
    }
}
