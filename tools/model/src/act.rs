use ordered_core::internal::Phase;

use crate::Model;
use crate::bounds::Order;
use crate::event::{KeyNumber, Slot, Which};
use crate::store::{Lease, Who};
use crate::worker::{Outcome, Turn};
use crate::world::World;

/// One step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says itself in `trace.rs`")]
pub enum Act {
    // The broker.
    Deliver(Slot, Which),
    Duplicate(Which),
    LoseConnection(Slot),
    // The store and the way to it.
    Ask(Slot),
    Apply(Slot),
    Reply(Slot),
    GiveUp(Slot),
    ApplyLate(Slot),
    Beat(Slot),
    Sweep(Slot, KeyNumber),
    LoseState,
    // The worker and its handlers: the place of the run among those under way.
    Finish(Slot, usize),
    Fail(Slot, usize),
    FailPermanently(Slot, usize),
    FailForLong(Slot, usize),
    Wake(Slot, KeyNumber),
    TickOverflow(Slot),
    GoOnAdopting(Slot),
    Crash(Slot),
    Stop(Slot),
    StopRuns(Slot),
    Leave(Slot),
    // The operator.
    Operate(Order),
    Force(Order),
    Vanish,
    // Time.
    Lapse(Slot),
    Expire(Slot),
    EndLease(KeyNumber),
    Tick,
}

impl Model {
    /// Whether it is part of the world without faults, in which everything must come to its end. An operator who has
    /// set a key back does so to have its events published again.
    pub(crate) fn is_calm(&self, world: &World, act: Act) -> bool {
        match act {
            Act::Deliver(..)
            | Act::Ask(_)
            | Act::Apply(_)
            | Act::Reply(_)
            | Act::Beat(_)
            | Act::Sweep(..)
            | Act::Finish(..)
            | Act::Wake(..)
            | Act::TickOverflow(_)
            | Act::GoOnAdopting(_)
            | Act::StopRuns(_)
            | Act::EndLease(_)
            | Act::Tick => true,
            Act::Leave(slot) => world.workers[usize::from(slot)].can_leave(),
            Act::Operate(order) => order.frees(),
            Act::Crash(slot) => {
                world.workers[usize::from(slot)].runs(&self.bounds, self.bounds.poison)
            }
            Act::Duplicate(_) => self.set_back(world),
            _ => false,
        }
    }

    /// Whether it counts against [`Bounds::most_faults`](crate::Bounds::most_faults).
    fn is_fault(&self, world: &World, act: Act) -> bool {
        match act {
            Act::LoseConnection(_)
            | Act::GiveUp(_)
            | Act::LoseState
            | Act::Fail(..)
            | Act::FailPermanently(..)
            | Act::FailForLong(..)
            | Act::Stop(_)
            | Act::Force(_)
            | Act::Vanish
            | Act::Lapse(_) => true,
            Act::Crash(_) => !self.is_calm(world, act),
            _ => false,
        }
    }

    /// Whether it would change anything, as far as an operator can see.
    fn would_free(world: &World, order: Order) -> bool {
        let state = world.store.records[0].state();
        match order {
            Order::Retry => state.phase != Phase::Open || state.is_suspect(),
            Order::Resume => state.paused.is_on(),
            _ => world.store.paused,
        }
    }

    /// An operator has set a key back.
    fn set_back(&self, world: &World) -> bool {
        let begun_again = |record: &crate::store::Record| record.state().epoch > 0;
        self.bounds.operator.is_some() && world.store.records.iter().any(begun_again)
    }

    pub(crate) fn enabled(&self, world: &World, acts: &mut Vec<Act>) {
        let faults = self.bounds.faults;
        for which in self.bounds.messages() {
            if (self.bounds.repeats || self.set_back(world))
                && world.around(which) < self.bounds.copies
            {
                acts.push(Act::Duplicate(which));
            }
        }
        for slot in 0..Slot::try_from(world.workers.len()).unwrap_or(0) {
            self.enabled_for(world, slot, acts);
        }
        if let Some(operator) = &self.bounds.operator {
            let freeing = [Order::Retry, Order::Resume, Order::ResumeGroup].into_iter();
            let freeing = freeing.filter(|order| Self::would_free(world, *order));
            acts.extend(freeing.map(Act::Operate));
            if world.orders > 0 {
                acts.extend(operator.orders.iter().copied().map(Act::Operate));
                if faults.force {
                    acts.extend(operator.orders.iter().copied().map(Act::Force));
                }
                if faults.lost_operators {
                    acts.push(Act::Vanish);
                }
            }
        }
        for key in world.keys() {
            let owner = world.store.records[key].owner();
            if matches!(owner, Some(Who::Crashed(false) | Who::Operator(false))) {
                acts.push(Act::EndLease(key));
            }
        }
        if faults.state_loss && !world.lost {
            acts.push(Act::LoseState);
        }
        if self.time_matters(world) {
            acts.push(Act::Tick);
        }
        if world.faults_left == Some(0) {
            acts.retain(|act| !self.is_fault(world, *act));
        }
    }

    fn enabled_for(&self, world: &World, slot: Slot, acts: &mut Vec<Act>) {
        let worker = &world.workers[usize::from(slot)];
        let faults = self.bounds.faults;
        let lease = world.store.leases[usize::from(slot)];
        let hears = worker.paused != world.store.paused;
        if !worker.lease || lease != Lease::Alive || worker.session_lost || hears {
            acts.push(Act::Beat(slot));
        }
        if faults.pauses && worker.lease {
            acts.push(Act::Lapse(slot));
        }
        if faults.pauses && !worker.lease && lease == Lease::Alive {
            acts.push(Act::Expire(slot));
        }
        let kills = worker.runs(&self.bounds, self.bounds.poison);
        if faults.crashes || kills {
            acts.push(Act::Crash(slot));
        }
        let stale = worker.stale.iter().any(|stale| *stale > 0);
        if faults.lost_connections && !stale && worker.live.iter().any(|live| *live > 0) {
            acts.push(Act::LoseConnection(slot));
        }
        self.enabled_at_store(world, slot, acts);
        if !kills {
            self.enabled_in_runs(world, slot, acts);
        }
        let wakes = world.keys().filter(|key| worker.wakes[*key]);
        acts.extend(wakes.map(|key| Act::Wake(slot, key)));
        if worker.engine.has_overflow() && self.bounds.overflow {
            acts.push(Act::TickOverflow(slot));
        }
        // By then every worker that is alive has noticed the loss.
        if worker.adopting && world.workers.iter().all(|worker| !worker.session_lost) {
            acts.push(Act::GoOnAdopting(slot));
        }
        if worker.draining {
            // One that is not done within its time leaves all the same.
            acts.push(Act::Leave(slot));
            return;
        }
        if faults.stops {
            acts.push(Act::Stop(slot));
        }
        let queued = self
            .bounds
            .messages()
            .filter(|which| world.queue[usize::from(*which)] > 0);
        let most = match self.bounds.in_order {
            // Who has unsettled messages is the consumer.
            true if world.others_consume(slot) => 0,
            true => 1,
            false => usize::MAX,
        };
        acts.extend(queued.take(most).map(|which| Act::Deliver(slot, which)));
        if worker.engine.spare_keys() > 0 && !worker.session_lost {
            let found = world
                .keys()
                .filter(|key| world.store.is_swept(*key, self.mutation));
            acts.extend(found.map(|key| Act::Sweep(slot, key)));
        }
    }

    fn enabled_at_store(&self, world: &World, slot: Slot, acts: &mut Vec<Act>) {
        let worker = &world.workers[usize::from(slot)];
        let faults = self.bounds.faults;
        if !worker.late.is_empty() {
            acts.push(Act::ApplyLate(slot));
        }
        let Some(call) = &worker.call else {
            if worker.engine.outgoing() > 0 {
                acts.push(Act::Ask(slot));
            }
            return;
        };
        if call.answer.is_none() {
            acts.push(Act::Apply(slot));
            if worker.late.is_empty() {
                acts.push(Act::GiveUp(slot));
            }
        } else {
            acts.push(Act::Reply(slot));
            if faults.lost_answers {
                acts.push(Act::GiveUp(slot));
            }
        }
    }

    fn enabled_in_runs(&self, world: &World, slot: Slot, acts: &mut Vec<Act>) {
        let worker = &world.workers[usize::from(slot)];
        for run in 0..worker.runs.len() {
            acts.push(Act::Finish(slot, run));
            if self.bounds.faults.failures {
                acts.extend([Act::FailPermanently(slot, run), Act::FailForLong(slot, run)]);
                if self.bounds.keeps_retries {
                    acts.push(Act::Fail(slot, run));
                }
            }
        }
        if worker.draining && !worker.runs.is_empty() {
            acts.push(Act::StopRuns(slot));
        }
    }

    /// The world after a step.
    pub(crate) fn after(&self, world: &World, act: Act) -> World {
        let mut after = world.clone();
        if self.is_fault(world, act) {
            after.faults_left = world.faults_left.map(|left| left - 1);
        }
        self.step(&mut after, act);
        after
    }

    fn step(&self, world: &mut World, act: Act) {
        match act {
            Act::Deliver(slot, which) => self.turn(world, slot, |turn| turn.deliver(which)),
            Act::Duplicate(which) => world.queue[usize::from(which)] += 1,
            Act::LoseConnection(slot) => world.lose_connection(slot),
            Act::Ask(slot) => self.turn(world, slot, |turn| {
                turn.ask();
                if !self.bounds.faults.late_calls {
                    turn.apply();
                }
            }),
            Act::Apply(slot) => self.turn(world, slot, |turn| turn.apply()),
            Act::Reply(slot) => self.turn(world, slot, |turn| turn.reply()),
            Act::GiveUp(slot) => self.turn(world, slot, |turn| turn.give_up()),
            Act::ApplyLate(slot) => self.turn(world, slot, |turn| turn.apply_late()),
            Act::Beat(slot) => self.turn(world, slot, |turn| turn.beat()),
            Act::Sweep(slot, key) => self.turn(world, slot, |turn| turn.sweep(key)),
            Act::LoseState => self.lose_state(world),
            Act::Finish(slot, run) => {
                self.turn(world, slot, |turn| turn.finish(run, Outcome::Done));
            }
            Act::Fail(slot, run) => {
                self.turn(world, slot, |turn| turn.finish(run, Outcome::Failed));
            }
            Act::FailPermanently(slot, run) => {
                self.turn(world, slot, |turn| {
                    turn.finish(run, Outcome::FailedPermanently)
                });
            }
            Act::FailForLong(slot, run) => {
                self.turn(world, slot, |turn| turn.finish(run, Outcome::FailedForLong));
            }
            Act::Wake(slot, key) => self.turn(world, slot, |turn| turn.wake(key)),
            Act::TickOverflow(slot) => self.turn(world, slot, |turn| turn.tick_overflow()),
            Act::GoOnAdopting(slot) => self.turn(world, slot, |turn| turn.go_on_adopting()),
            Act::Crash(slot) => world.crash(slot, &self.bounds),
            Act::Stop(slot) => self.turn(world, slot, |turn| turn.begin_drain()),
            Act::StopRuns(slot) => self.turn(world, slot, |turn| turn.stop_runs()),
            Act::Leave(slot) => world.leave(slot, &self.bounds),
            Act::Operate(order) => self.operate(world, order, false),
            Act::Force(order) => self.operate(world, order, true),
            Act::Vanish => self.vanish(world),
            Act::Lapse(slot) => world.workers[usize::from(slot)].lease = false,
            Act::Expire(slot) => world.expire(slot),
            Act::EndLease(key) => world.end_lease(key),
            Act::Tick => self.tick(world),
        }
    }

    fn turn(&self, world: &mut World, slot: Slot, act: impl FnOnce(&mut Turn<'_>)) {
        let mut turn = Turn {
            model: self,
            world,
            slot,
        };
        act(&mut turn);
        turn.dispatch();
    }
}
