use ordered_core::protocol::Phase;
use stateright::Property;

use crate::Model;
use crate::event::Which;
use crate::worker::Stage;
use crate::world::{Broken, World};

/// The promises that are checked in every state, by name.
pub const PROPERTIES: [&str; 5] = ["order", "once", "nothing lost", "no overlap", "fencing"];

pub(crate) fn properties() -> Vec<Property<Model>> {
    let [order, once, lost, overlap, fencing] = PROPERTIES;
    vec![
        Property::always(order, |_, world: &World| world.keeps(Broken::Order)),
        Property::always(once, |_, world: &World| world.keeps(Broken::Once)),
        Property::always(lost, |model: &Model, world: &World| {
            model
                .bounds
                .all()
                .all(|which| model.is_somewhere(world, which))
        }),
        Property::always(overlap, |_, world: &World| {
            let run = |stage: Stage| stage == Stage::Running { excused: false };
            let lanes = world
                .workers
                .iter()
                .filter_map(|worker| worker.lane.as_ref());
            lanes.filter(|lane| run(lane.stage)).count() <= 1
        }),
        Property::always(fencing, |_, world: &World| world.keeps(Broken::Fencing)),
    ]
}

impl World {
    fn keeps(&self, promise: Broken) -> bool {
        self.past.broken != Some(promise)
    }
}

impl Model {
    /// Committed, recognised as a repetition of what was committed, held, dead-lettered, or still at the broker: in the
    /// queue, or delivered and not settled.
    fn is_somewhere(&self, world: &World, which: Which) -> bool {
        let seq = self.bounds.seq(which);
        let repeats = |other: &Which| *other == which || self.bounds.same_id(*other, which);
        let forgotten = self.bounds.remembered.is_some() && seq <= world.key.last_seq;
        let is_held = || {
            let held = world.key.held.get(&seq);
            held.is_some_and(|held| held.id == self.bounds.id(which))
        };
        world.around(which) > 0
            || world.past.committed.iter().any(repeats)
            || world.past.dead.contains(which)
            || is_held()
            || forgotten
    }

    /// Whether everything has come to its end: each seq committed, nothing with the broker, nothing held. A key that is
    /// halted waits for an operator; that is an end too.
    pub(crate) fn is_done(&self, world: &World) -> bool {
        let all = self.bounds.all();
        let committed = world.past.committed.len() as u64 == self.bounds.last_seq();
        let halted = world.key.phase == Phase::Halted;
        let settled = all.into_iter().all(|which| world.around(which) == 0);
        settled && (halted || (committed && world.key.held.is_empty()))
    }
}
