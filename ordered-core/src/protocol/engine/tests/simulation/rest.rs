//! How the world comes to rest, and what must be true then.

use super::broker::At;
use super::scenario::{Faults, LEASE};
use super::worker::Worker;
use super::world::{World, at_once};
use crate::event::Key;
use crate::protocol::Verb;
use crate::store::{Inspect, KeyIndex};

/// How many rounds the world may take to come to rest when nothing goes wrong any more.
const ROUNDS: usize = 600;
/// In which round everything is sent once more where the state was lost, since answers from before the loss have
/// settled some of what was sent first.
const REPEATED: usize = 100;

impl World {
    /// Nothing goes wrong any more, and operators see to what has stopped. All events come to an end.
    pub(super) fn come_to_rest(&mut self) {
        self.tell(|| "nothing goes wrong any more".into());
        self.resting = true;
        self.faults = Faults::default();
        at_once(self.store.set_paused(&self.group, false)).expect("it is open");
        for round in 0.. {
            if self.ghost.lost && (round == 0 || round == REPEATED) {
                self.publish_again();
            }
            self.round();
            let is_quiet = self.is_quiet();
            // What is held behind a halted key may leave no room for what is to come.
            let is_seen_to = is_quiet || round % 50 >= 40;
            let is_over = is_seen_to && !self.see_to_halted();
            if is_quiet && is_over && (!self.ghost.lost || round > REPEATED) {
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

    /// The state was lost: producers send everything once more.
    fn publish_again(&mut self) {
        for message in &mut self.broker.messages {
            if message.at == At::Gone {
                message.at = At::Ready { from: 0 };
            }
        }
    }

    fn round(&mut self) {
        for worker in &mut self.workers {
            worker.sleeps_until = 0;
        }
        self.beat_in_time();
        for place in 0..self.workers.len() {
            let number = self.workers[place].number;
            let room = self.scenario.rules.read_ahead;
            let mut ready = self.broker.ready(self.time);
            self.scenario.random.shuffle(&mut ready);
            for message in ready {
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
        let is_idle = |worker: &Worker| {
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
            if state.paused.is_on() {
                self.operate(&key, &Verb::Resume);
                any = true;
            } else if state.is_blocked() {
                // A replay that failed has its error with the dead letter.
                assert!(
                    state.last_error.is_some() || !state.replays.is_empty(),
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
            let is_over = *epoch < state.epoch || state.is_past(*seq);
            let ghost = &self.ghost;
            let known = ghost.committed.contains_key(place)
                || ghost.dead.contains(place)
                || ghost.skipped.contains(place)
                || *epoch < state.epoch;
            assert!(is_over && known, "{place:?} is lost: {state:?}");
        }
    }
}
