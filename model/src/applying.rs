//! The store's side of a step.

use ordered_core::protocol::{Action, Verdict};

use crate::Model;
use crate::bounds::Order;
use crate::event::{Slot, name, operator};
use crate::mutated;
use crate::store::{Answer, Ask};
use crate::world::World;

impl Model {
    /// The store applies the worker's batch, or the next command of it.
    pub(crate) fn apply(&self, world: &mut World, slot: Slot) {
        let batch = &world.workers[usize::from(slot)].batch;
        let rest = batch.iter().filter(|(_, answer)| answer.is_none()).count();
        for _ in 0..if self.bounds.piecewise { 1 } else { rest } {
            self.apply_one(world, slot);
        }
    }

    fn apply_one(&self, world: &mut World, slot: Slot) {
        let batch = &world.workers[usize::from(slot)].batch;
        let Some(place) = batch.iter().position(|(_, answer)| answer.is_none()) else {
            return;
        };
        let ask = batch[place].0.clone();
        let before = world.key.clone();
        let action: Action = ask.action(&self.bounds);
        let verdict = mutated::apply(world, &self.policy, self.mutation, &name(slot), &action);
        let answer = Answer::of(verdict, &self.bounds);
        self.judge(world, slot, &ask, &before);
        if matches!(ask, Ask::Offer(_) | Ask::Hold(_) | Ask::Claim)
            && matches!(answer, Answer::Run { .. } | Answer::Claimed { .. })
        {
            world.past.granted = Some(slot);
        }
        world.workers[usize::from(slot)].batch[place].1 = Some(answer);
    }

    /// The operator's call reaches the store. A second one, because the reply was lost, is a call like any other.
    pub(crate) fn operate(&self, world: &mut World, order: Order) {
        let before = world.key.clone();
        let action = Action::Operate(order.verb());
        let verdict = mutated::apply(world, &self.policy, self.mutation, operator(), &action);
        if let Verdict::Operated(_) = verdict {
            if !order.frees() {
                world.orders = world.orders.saturating_sub(1);
            }
            self.judge_order(world, order, &before);
        }
    }
}
