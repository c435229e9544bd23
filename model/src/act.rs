use crate::Model;
use crate::bounds::Order;
use crate::event::{Slot, Which};
use crate::fate::Shift;
use crate::mutated::swept;
use crate::mutation::Mutation;
use crate::store::Ask;
use crate::worker::{Outcome, Stage, Turn};
use crate::world::World;

/// One step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says itself in `story.rs`")]
pub enum Act {
    // The broker.
    Deliver(Slot, Which),
    Duplicate(Which),
    LoseConnection(Slot),
    // The store and the way to it.
    Apply(Slot),
    Reply(Slot),
    LoseReply(Slot),
    Beat(Slot),
    BeatUnheard(Slot),
    Sweep(Slot),
    // The worker and its handler.
    Start(Slot),
    Finish(Slot),
    Fail(Slot),
    FailForGood(Slot),
    FailForLong(Slot),
    PauseOver(Slot),
    Crash(Slot),
    Stop(Slot),
    StopRun(Slot),
    Leave(Slot),
    // The operator.
    Operate(Order),
    // Time.
    Tick,
    CalmTick,
    StepForward,
    StepBack,
}

impl Act {
    fn is_calm(self) -> bool {
        use Act::{
            Apply, Beat, CalmTick, Deliver, Finish, Leave, Operate, PauseOver, Reply, Start,
            StopRun, Sweep,
        };
        matches!(
            self,
            Deliver(..)
                | Apply(_)
                | Reply(_)
                | Beat(_)
                | Sweep(_)
                | Start(_)
                | Finish(_)
                | PauseOver(_)
                | StopRun(_)
                | Leave(_)
                | CalmTick
        ) || matches!(self, Operate(order) if order.frees())
    }
}

impl Model {
    /// Whether it is part of the world without faults, in which everything must come to its end. An operator who has set a
    /// key back does so to have its events published again.
    pub(crate) fn is_calm(&self, world: &World, act: Act) -> bool {
        let set_back = self.bounds.operator.is_some() && world.key.epoch > 0;
        act.is_calm() || set_back && matches!(act, Act::Duplicate(_))
    }

    pub(crate) fn enabled(&self, world: &World, acts: &mut Vec<Act>) {
        for which in self.bounds.messages() {
            if world.around(which) < self.bounds.copies {
                acts.push(Act::Duplicate(which));
            }
        }
        for slot in 0..Slot::try_from(world.workers.len()).unwrap_or(0) {
            self.enabled_for(world, slot, acts);
        }
        if let Some(operator) = &self.bounds.operator {
            acts.extend([Order::Retry, Order::Resume].map(Act::Operate));
            if world.orders > 0 {
                acts.extend(operator.orders.iter().copied().map(Act::Operate));
            }
        }
        let anybody_claims = world.key.claim.is_some();
        let time_matters = anybody_claims
            || !world.bucket.leases.is_empty()
            || !world.key.phase_is_plain()
            || world.key.gap_since.is_some()
            || (self.bounds.remembered.is_some() && world.key.remembers());
        if time_matters {
            acts.push(Act::CalmTick);
            if self.bounds.faults.pauses {
                acts.push(Act::Tick);
            }
            if self.bounds.faults.clock_steps {
                acts.extend([Act::StepForward, Act::StepBack]);
            }
        }
    }

    fn enabled_for(&self, world: &World, slot: Slot, acts: &mut Vec<Act>) {
        let worker = &world.workers[usize::from(slot)];
        let faults = self.bounds.faults;
        if worker.lease < self.bounds.lease || !world.is_alive(slot) {
            acts.push(Act::Beat(slot));
            if faults.lost_replies && !world.is_alive(slot) {
                acts.push(Act::BeatUnheard(slot));
            }
        }
        if !worker.up {
            return;
        }
        if faults.crashes {
            acts.push(Act::Crash(slot));
        }
        let stale = worker.items().any(|item| item.stale);
        if faults.lost_connections && !stale && worker.items().any(|item| item.live > 0) {
            acts.push(Act::LoseConnection(slot));
        }
        if !worker.batch.is_empty() {
            let applied = worker.batch.iter().filter(|(_, answer)| answer.is_some());
            let applied = applied.count();
            acts.push(if applied < worker.batch.len() {
                Act::Apply(slot)
            } else {
                Act::Reply(slot)
            });
            if faults.lost_replies && applied > 0 {
                acts.push(Act::LoseReply(slot));
            }
        }
        self.enabled_in_lane(world, slot, acts);
        if worker.draining {
            if worker.can_leave() {
                acts.push(Act::Leave(slot));
            }
            return;
        }
        if faults.stops {
            acts.push(Act::Stop(slot));
        }
        for which in self.bounds.messages() {
            let has = worker.items().filter(|item| item.event == which).count();
            if world.queue[usize::from(which)] > 0 && has <= usize::from(self.bounds.copies) {
                acts.push(Act::Deliver(slot, which));
            }
        }
        let claims = worker.outbox.contains(&Ask::Claim);
        if worker.lane.is_none() && !claims && swept(world, &self.policy, self.mutation) {
            acts.push(Act::Sweep(slot));
        }
    }

    fn enabled_in_lane(&self, world: &World, slot: Slot, acts: &mut Vec<Act>) {
        let worker = &world.workers[usize::from(slot)];
        let blind = self.mutation == Some(Mutation::StartsWithoutLease);
        match worker.lane.as_ref().map(|lane| lane.stage) {
            Some(Stage::Ready) if worker.lease > 0 || blind => acts.push(Act::Start(slot)),
            Some(Stage::Running { .. }) => {
                acts.push(Act::Finish(slot));
                if self.bounds.faults.failures {
                    acts.extend([
                        Act::Fail(slot),
                        Act::FailForGood(slot),
                        Act::FailForLong(slot),
                    ]);
                }
                if worker.draining {
                    acts.push(Act::StopRun(slot));
                }
            }
            Some(Stage::BackingOff) => acts.push(Act::PauseOver(slot)),
            _ => {}
        }
    }

    /// The world after a step.
    pub(crate) fn after(&self, world: &World, act: Act) -> World {
        let mut world = world.clone();
        self.step(&mut world, act);
        world
    }

    fn step(&self, world: &mut World, act: Act) {
        match act {
            Act::Deliver(slot, which) => self.turn(world, slot, |turn| turn.deliver(which)),
            Act::Duplicate(which) => world.queue[usize::from(which)] += 1,
            Act::LoseConnection(slot) => world.lose_connection(slot),
            Act::Apply(slot) => self.apply(world, slot),
            Act::Reply(slot) => self.turn(world, slot, |turn| turn.on_reply()),
            Act::LoseReply(slot) => self.turn(world, slot, |turn| turn.on_lost_reply()),
            Act::Beat(slot) => {
                world.renew(slot, self.bounds.lease);
                self.turn(world, slot, |turn| turn.beaten());
            }
            Act::BeatUnheard(slot) => world.renew(slot, self.bounds.lease),
            Act::Sweep(slot) => self.turn(world, slot, |turn| turn.swept()),
            Act::Start(slot) => self.turn(world, slot, |turn| turn.start()),
            Act::Finish(slot) => self.turn(world, slot, |turn| turn.finish(Outcome::Done)),
            Act::Fail(slot) => self.turn(world, slot, |turn| turn.finish(Outcome::Failed)),
            Act::FailForGood(slot) => {
                self.turn(world, slot, |turn| turn.finish(Outcome::FailedForGood));
            }
            Act::FailForLong(slot) => {
                self.turn(world, slot, |turn| turn.finish(Outcome::FailedForLong));
            }
            Act::PauseOver(slot) => self.turn(world, slot, |turn| turn.pause_over()),
            Act::Crash(slot) => world.crash(slot),
            Act::Stop(slot) => self.turn(world, slot, |turn| turn.begin_drain()),
            Act::StopRun(slot) => self.turn(world, slot, |turn| turn.stop_run()),
            Act::Leave(slot) => world.leave(slot),
            Act::Operate(order) => self.operate(world, order),
            Act::Tick => world.tick(&self.bounds),
            Act::CalmTick => world.calm_tick(&self.bounds),
            Act::StepForward => world.step_forward(),
            Act::StepBack => world.step_back(&self.bounds),
        }
    }

    fn turn(&self, world: &mut World, slot: Slot, act: impl FnOnce(&mut Turn<'_>)) {
        let mut turn = Turn {
            model: self,
            world,
            slot,
        };
        act(&mut turn);
        turn.send();
    }
}
