use ordered_core::protocol::Phase;
use stateright::Property;

use crate::Model;
use crate::bounds::{Bounds, OnGap};
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
                .published()
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
    /// Held, still at the broker (in the queue, or delivered and not settled), or at its end.
    fn is_somewhere(&self, world: &World, which: Which) -> bool {
        let held = world.key.held.get(&self.bounds.seq(which));
        world.around(which) > 0
            || held.is_some_and(|held| held.id == self.bounds.id(which))
            || self.is_at_its_end(world, which)
    }

    /// Committed, recognised as a repetition of what was committed, dead-lettered at the broker, put aside in the store, or
    /// taken from there by an operator.
    fn is_at_its_end(&self, world: &World, which: Which) -> bool {
        let seq = self.bounds.seq(which);
        let repeats = |other: &Which| *other == which || self.bounds.same_id(*other, which);
        let forgotten = self.bounds.remembered.is_some() && seq <= world.key.last_seq;
        let id = self.bounds.id(which);
        let mut aside = world.key.dead.iter();
        world.past.committed.iter().any(repeats)
            || self
                .bounds
                .published()
                .any(|other| world.past.earlier.contains(other) && repeats(&other))
            || world.past.dead.contains(which)
            || world.past.discarded.contains(which)
            || aside.any(|((_, other), dead)| *other == seq && dead.id == id)
            || forgotten
    }

    /// Whether everything has come to its end: nothing with the broker, nothing held, nothing to replay; and where nothing
    /// but a commit moves the key, each seq has committed. A key that is halted waits for an operator: that is an end where
    /// there is none.
    pub(crate) fn is_done(&self, world: &World) -> bool {
        let Bounds {
            operator,
            dead_letters,
            on_gap,
            said,
            ..
        } = self.bounds;
        let mut messages = self.bounds.messages();
        if !messages.all(|which| world.around(which) == 0) {
            return false;
        }
        let key = &world.key;
        if key.phase == Phase::Halted {
            return operator.is_none();
        }
        let mut published = self.bounds.published();
        let plain = operator.is_none() && !dead_letters && on_gap == OnGap::Wait && said.is_empty();
        let committed = world.past.committed.len() as u64 == self.bounds.last_seq();
        let nothing_waits =
            key.held.is_empty() && !key.paused && key.dead.values().all(|dead| !dead.replay);
        nothing_waits
            && (committed || !plain)
            && published.all(|which| self.is_at_its_end(world, which))
    }
}
