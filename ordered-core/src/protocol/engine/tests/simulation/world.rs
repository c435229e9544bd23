//! The world: its store, its broker, its workers, its clocks, and what is checked whenever anything happens.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use futures_util::FutureExt;

use super::broker::{At, Broker};
use super::ghost::{Accepted, Ghost, Place, state_of};
use super::scenario::{Faults, LEASE, Scenario, What};
use super::worker::Worker;
use crate::clock::Clock;
use crate::event::{EventId, Key};
use crate::protocol::KeyState;
use crate::protocol::WorkerId;
use crate::protocol::engine::{DeferReason, Effect, EventOutcome, KeyChange};
use crate::store::Group;
use crate::store::{Answer, Exchange, Inspect, MemoryStore, Record, Request, Session, Slot, Store};
use crate::transport::Token;

/// How much of what happened is told when something is wrong.
const TOLD: usize = 4_000;

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) faults: Faults,
    pub(super) clock: Clock,
    /// The time by which everybody's timeouts are measured; it never jumps.
    pub(super) time: u64,
    pub(super) store: MemoryStore,
    pub(super) group: Group,
    pub(super) broker: Broker,
    pub(super) workers: Vec<Worker>,
    /// Calls of workers that are gone, which may still arrive.
    pub(super) stray: Vec<(Session, Vec<Request>)>,
    pub(super) ghost: Ghost,
    pub(super) names: usize,
    pub(super) resting: bool,
    told: VecDeque<String>,
}

/// Tells what happened before a check failed.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Scenario { seed, rules, .. } = &self.scenario;
            eprintln!("seed {seed}: {rules:?} {:?}", self.scenario.faults);
            self.told.iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// The store in memory answers at once.
pub(super) fn at_once<T, E: Debug>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    future.now_or_never().expect("it answers at once")
}

impl World {
    pub(super) fn new(mut scenario: Scenario) -> Self {
        let clock = Clock::manual(1_000_000_000);
        let buckets = scenario.random.u32(1..=2);
        let store = MemoryStore::with_clock(clock.clone()).buckets(buckets);
        let group = Group::new("group", scenario.rules.policy.clone());
        let mut world = Self {
            faults: scenario.faults,
            clock,
            time: 0,
            store,
            group,
            broker: Broker::default(),
            workers: Vec::new(),
            stray: Vec::new(),
            ghost: Ghost::default(),
            names: 0,
            resting: false,
            told: VecDeque::new(),
            scenario,
        };
        for (key, what) in world.scenario.published.clone() {
            world.ghost.publish(&key, &what);
            world.broker.publish(key, what);
        }
        (0..world.scenario.workers).for_each(|_| world.start_worker());
        world
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.told.len() >= TOLD {
            self.told.pop_front();
        }
        self.told.push_back(format!("{:>6} {}", self.time, what()));
    }

    pub(super) fn chance(&mut self, thousandths: u32) -> bool {
        self.scenario.random.u32(0..1_000) < thousandths
    }

    pub(super) fn start_worker(&mut self) {
        self.names += 1;
        let number = self.names;
        let name = WorkerId::new(format!("w{number}"));
        let opened = at_once(self.store.open(&self.group, &name)).expect("it opens");
        self.tell(|| format!("w{number} starts"));
        let worker = Worker::new(number, opened.session, self.scenario.rules.clone());
        self.workers.push(worker);
        self.beat(self.workers.len() - 1);
    }

    /// A heartbeat of the worker at this place.
    pub(super) fn beat(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        let lease = Duration::from_millis(LEASE);
        let beat = at_once(self.store.heartbeat(&self.group, &worker.session, lease));
        let Ok(beat) = beat else {
            return self.open_again(place);
        };
        let lapsed = !worker.has_lease(self.time);
        worker.beat_at = Some(self.time);
        worker.jumped = false;
        worker.engine.set_now(beat.now);
        worker.engine.set_paused(beat.paused);
        worker.engine.go_on_adopting();
        if lapsed {
            worker.engine.on_lapse();
            let number = worker.number;
            self.tell(|| format!("w{number} has a lease anew"));
        }
    }

    /// The state is gone: the worker opens a new one, and writes down what it knows.
    fn open_again(&mut self, place: usize) {
        assert!(self.ghost.lost, "the state was lost");
        let worker = &mut self.workers[place];
        let name = worker.session.worker.clone();
        worker.session = at_once(self.store.open(&self.group, &name))
            .expect("it opens")
            .session;
        worker.engine.adopt();
        worker.beat_at = None;
        self.beat(place);
    }

    fn record(&self, key: &Key) -> Option<Record> {
        at_once(self.store.read(&self.group, key)).ok().flatten()
    }

    pub(super) fn state(&self, key: &Key) -> KeyState {
        state_of(self.record(key).as_ref(), self.group.policy().first_seq)
    }

    fn letter_id(&self, key: &Key, slot: Slot) -> Option<EventId> {
        let letters = at_once(self.store.letters(&self.group, key, &[slot]));
        letters.ok()?.pop().flatten().map(|letter| letter.id)
    }

    /// The store carries a call out, while the onlooker looks.
    pub(super) fn carry_out(
        &mut self,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, ()> {
        let keys: Vec<Key> = requests
            .iter()
            .map(|request| request.key().clone())
            .collect();
        let before: Vec<_> = keys.iter().map(|key| self.record(key)).collect();
        let exchange = at_once(self.store.exchange(&self.group, session, requests));
        let Ok(exchange) = exchange else {
            assert!(
                self.ghost.lost,
                "only what was lost is refused: {exchange:?}"
            );
            return Err(());
        };
        let worker = session.worker.to_string();
        for ((request, answer), before) in requests.iter().zip(&exchange.answers).zip(before) {
            self.tell(|| format!("{worker} says {}\n    -> {answer:?}", brief(request)));
            self.check_request(&worker, request, answer, before.as_ref());
        }
        Ok(exchange)
    }

    fn check_request(
        &mut self,
        worker: &str,
        request: &Request,
        answer: &Answer,
        before: Option<&Record>,
    ) {
        let key = request.key();
        let after = self.record(key);
        match (request, answer) {
            (Request::Save(save), Answer::Saved(_)) => {
                let owner = before.and_then(|record| record.owner.as_ref());
                assert_eq!(owner.map(|owner| owner.worker.as_str()), Some(worker));
                let first_seq = self.group.policy().first_seq;
                let seen = Accepted {
                    worker,
                    save,
                    before: state_of(before, first_seq),
                    after: state_of(after.as_ref(), first_seq),
                    policy: self.group.policy(),
                };
                self.ghost
                    .see(&seen)
                    .unwrap_or_else(|wrong| panic!("{key}: {wrong}"));
            }
            _ => {
                let body = |record: Option<&Record>| record.and_then(|record| record.body.clone());
                assert_eq!(
                    body(before),
                    body(after.as_ref()),
                    "{key}: only owners save"
                );
            }
        }
        self.check_mailbox(key, after.as_ref());
    }

    /// What the body says is held lies in the mailbox, and what lies there is known from the body or from the mail.
    fn check_mailbox(&self, key: &Key, record: Option<&Record>) {
        let state = state_of(record, self.group.policy().first_seq);
        let owner = record.and_then(|record| record.owner.as_ref());
        let mail = owner.map_or(&[][..], |owner| &owner.mail);
        for seq in 1..20 {
            let there = self.letter_id(key, Slot::Held(seq)).is_some();
            let known = state.held.contains(seq);
            assert!(
                !known || there,
                "{key}: {seq} is held and not there: {state:?}"
            );
            assert!(
                known || !there || mail.contains(&seq),
                "{key}: {seq} lies in the mailbox, and nobody knows: {record:?}, {state:?}"
            );
        }
        for (epoch, seq) in state.dead_letters() {
            let there = self.letter_id(key, Slot::Dead { epoch, seq }).is_some();
            assert!(there, "{key}: the dead letter {epoch}/{seq} is not there");
        }
    }

    /// Whether nothing would be lost if the broker forgot the event.
    fn is_safe(&self, key: &Key, seq: u64, id: &EventId) -> bool {
        let named = (key.clone(), id.clone());
        let dead = |epoch| self.letter_id(key, Slot::Dead { epoch, seq });
        self.ghost.remembered.contains(&named)
            || self.ghost.taken_away.contains(&named)
            || self.letter_id(key, Slot::Held(seq)).as_ref() == Some(id)
            || (0..3).any(|epoch| dead(epoch).as_ref() == Some(id))
    }

    /// Does what the engine of the worker at this place wants.
    pub(super) fn settle_effects(&mut self, place: usize) {
        let number = self.workers[place].number;
        for effect in self.workers[place].engine.take_effects() {
            self.tell(|| format!("w{number} {effect:?}"));
            match effect {
                Effect::Settle {
                    key,
                    seq,
                    id,
                    tokens,
                    outcome,
                    ..
                } => {
                    for token in tokens.iter() {
                        self.settle(number, token, (&key, seq, &id), &outcome);
                    }
                }
                Effect::SettleControl { token, deferred } => {
                    let message = self.broker.settle(token, number);
                    self.put(message, deferred.is_some());
                }
                Effect::Wake { key, after } => {
                    let after = u64::try_from(after.as_millis()).expect("it is short");
                    self.workers[place].timers.push((self.time + after, key));
                }
                Effect::Abort(id) => {
                    let handling = &mut self.workers[place].handling;
                    let before = handling.len();
                    handling.retain(|run| run.id != id);
                    assert_eq!(
                        handling.len() + 1,
                        before,
                        "a run that is not there is aborted"
                    );
                }
                Effect::Event { .. } => {}
                Effect::Key { key, what } => self.check_change(&key, &what),
            }
        }
    }

    fn check_change(&self, key: &Key, what: &KeyChange) {
        let is_bad = matches!(
            what,
            KeyChange::Corrected { .. }
                | KeyChange::FenceFell { .. }
                | KeyChange::Unreadable(_)
                | KeyChange::Missing { .. }
        );
        assert!(!is_bad || self.ghost.lost, "{key}: {what:?}");
    }

    fn settle(
        &mut self,
        number: usize,
        token: Token,
        (key, seq, id): (&Key, u64, &EventId),
        outcome: &EventOutcome,
    ) {
        let message = self.broker.settle(token, number);
        let What::Event {
            seq: sent, epoch, ..
        } = self.broker.messages[message].what.clone()
        else {
            panic!("{key}: a control message is settled as an event")
        };
        assert_eq!(sent, seq);
        let place: Place = (key.clone(), epoch.unwrap_or(0), seq);
        let said = format!("{key}: {seq} ({id}) is {outcome:?}");
        let short_memory = self.group.policy().dedup_ttl < Duration::from_secs(60);
        let right = match outcome {
            EventOutcome::Committed => self.ghost.remembered.contains(&(key.clone(), id.clone())),
            EventOutcome::Held
            | EventOutcome::Postponed
            | EventOutcome::Halted
            | EventOutcome::DeadLettered => self.is_safe(key, seq, id),
            // What was in the mailbox when it came again may have been dropped as late since.
            EventOutcome::Duplicate => {
                self.is_safe(key, seq, id) || self.ghost.may_skip.contains(&place)
            }
            // Where the clock is set back by as much as ids are remembered for, they expire before the key believes it.
            EventOutcome::Conflict(_) => {
                short_memory || self.ghost.ids_at(&place).iter().any(|other| other != id)
            }
            EventOutcome::Stale => short_memory,
            EventOutcome::Superseded | EventOutcome::Rewound => false,
            EventOutcome::Late => self.ghost.may_skip.contains(&place) || epoch == Some(0),
            EventOutcome::Deferred(DeferReason::Unreadable) => false,
            EventOutcome::Deferred(_) => true,
        };
        assert!(right || self.ghost.lost, "{said}");
        self.put(message, matches!(outcome, EventOutcome::Deferred(_)));
    }

    /// A message is settled: it comes again later, or is gone, unless the acknowledgement gets lost.
    fn put(&mut self, message: usize, deferred: bool) {
        let lost = !deferred && self.chance(self.faults.lost_acks);
        let again = self.scenario.random.bool();
        let message = &mut self.broker.messages[message];
        message.at = if deferred {
            At::Ready {
                from: self.time + 200,
            }
        } else if lost {
            At::Ready {
                from: self.time + 100,
            }
        } else {
            At::Gone
        };
        message.redelivered |= lost || again;
    }
}

/// A request, without what is not needed to understand what happens.
fn brief(request: &Request) -> String {
    match request {
        Request::Acquire(acquire) => {
            let letters: Vec<_> = acquire.letters.iter().map(|(slot, _)| slot).collect();
            format!(
                "acquire {} {:?} {letters:?} {:?}",
                acquire.key, acquire.mode, acquire.look_up
            )
        }
        Request::Save(save) => {
            let state = save
                .body
                .as_ref()
                .map(|body| KeyState::decode(body, save.fence));
            format!(
                "save {} {:?} {state:?} changes {:?} remember {:?} look up {:?} fetch {:?} taken {} release {}",
                save.key,
                save.fence,
                save.changes,
                save.remember,
                save.look_up,
                save.fetch,
                save.taken,
                save.release
            )
        }
    }
}
