//! What happens in the world, one step at a time.

use std::time::Duration;

use super::scenario::{LEASE, What};
use super::worker::{Call, Handling};
use super::world::{World, at_once};
use crate::event::Envelope;
use crate::protocol::engine::{Event, RunError};
use crate::store::{Inspect, KeyIndex, Store, Sweep};

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

    pub(super) fn deliver_this(&mut self, place: usize, message: usize) {
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

    pub(super) fn call(&mut self, place: usize) {
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
    pub(super) fn answer(&mut self, place: usize) {
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

    pub(super) fn begin_run(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        if !worker.has_lease(self.time) {
            return;
        }
        let Some(run) = worker.engine.next_run() else {
            return;
        };
        let mut replay = false;
        let events = run.events.map(|event| {
            replay |= event.replay;
            (event.seq, event.id.clone())
        });
        let handling = Handling {
            id: run.id,
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
        let before = (state.head()..first).filter(|seq| !state.absent.contains(*seq));
        let window = u64::from(self.scenario.rules.commit_window);
        assert!(
            before.count() as u64 <= window,
            "{key}: {first} runs ahead of {state:?}"
        );
        assert!(!state.is_past(first), "{key}: {first} runs again");
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

    pub(super) fn end_run(&mut self, place: usize) {
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
                on_exhausted: None,
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

    pub(super) fn wake(&mut self, place: usize) {
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

    pub(super) fn beat_in_time(&mut self) {
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

    pub(super) fn sweep(&mut self, place: usize) {
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

    pub(super) fn end_drain(&mut self, place: usize) {
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
}
