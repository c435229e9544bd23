//! The store's side of a step, and what it says about the promises.

use ordered_core::protocol::Action;

use crate::Model;
use crate::event::Slot;
use crate::mutated;
use crate::store::{Answer, Ask};
use crate::world::{Broken, World};

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
        let before = world.key.last_seq;
        let action: Action = ask.action(&self.bounds);
        let verdict = mutated::apply(world, &self.policy, self.mutation, slot, &action);
        let answer = Answer::of(verdict, &self.bounds);
        self.judge(world, slot, &ask, before);
        if matches!(ask, Ask::Offer(_) | Ask::Hold(_) | Ask::Claim)
            && matches!(answer, Answer::Run { .. } | Answer::Claimed { .. })
        {
            world.past.granted = Some(slot);
        }
        world.workers[usize::from(slot)].batch[place].1 = Some(answer);
    }

    /// Holds what has committed against the promises.
    fn judge(&self, world: &mut World, slot: Slot, ask: &Ask, before: u64) {
        let last_seq = world.key.last_seq;
        if last_seq == before {
            return;
        }
        let Ask::Commit { event, .. } = *ask else {
            return world.break_promise(Broken::Order);
        };
        if last_seq != before + 1 || self.bounds.seq(event) != last_seq {
            return world.break_promise(Broken::Order);
        }
        let committed = &world.past.committed;
        let repeat = committed
            .iter()
            .any(|other| self.bounds.same_id(*other, event));
        if committed.contains(&event) || !(repeat || world.past.handled.contains(event)) {
            world.break_promise(Broken::Once);
        }
        if world.past.granted != Some(slot) {
            world.break_promise(Broken::Fencing);
        }
        world.past.committed.push(event);
    }
}
