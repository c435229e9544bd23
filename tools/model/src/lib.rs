//! The ordering protocol, explored exhaustively within bounds: every order in which a broker, a few workers and all
//! their faults can make steps, around the engine that ships.
//!
//! What is modelled, the bounds and the figures are in `docs/internals/model.md`.

mod act;
mod bounds;
mod canonical;
mod checking;
mod event;
mod faults;
mod graph;
mod mutation;
mod operate;
mod properties;
mod scenarios;
mod step_checks;
mod store;
mod trace;
mod worker;
mod world;

use ordered_core::protocol::Policy;

pub use act::Act;
pub use bounds::{Bounds, Faults, OnGap, Operator, Order, Published, Said};
pub use checking::{Finding, Report, check, hunt};
pub use mutation::Mutation;
pub use properties::PROPERTIES;
pub use scenarios::{FULL, HUNT, SHORT};
pub use world::World;

/// A world to explore: its bounds, and the mistake in it, if one was seeded.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) bounds: Bounds,
    pub(crate) mutation: Option<Mutation>,
    policy: Policy,
}

impl Model {
    /// The engine and what is around it as they should be.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            policy: bounds.policy(),
            bounds,
            mutation: None,
        }
    }

    /// The same with a mistake in it.
    #[must_use]
    pub fn with(mutation: Mutation, bounds: Bounds) -> Self {
        Self {
            mutation: Some(mutation),
            ..Self::new(bounds)
        }
    }

    pub(crate) fn first(&self) -> World {
        let mut world = World::new(&self.bounds);
        self.normalise(&mut world);
        world
    }

    /// Every step that is possible, with the world after it in its normal form.
    pub(crate) fn steps(&self, world: &World) -> Vec<(Act, World)> {
        let mut acts = Vec::with_capacity(32);
        self.enabled(world, &mut acts);
        let step = |act: Act| {
            let mut after = self.after(world, act);
            self.normalise(&mut after);
            (act, after)
        };
        acts.into_iter().map(step).collect()
    }
}

impl stateright::Model for Model {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![self.first()]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        self.enabled(world, acts);
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        let mut after = self.after(world, act);
        self.normalise(&mut after);
        Some(after)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        properties::properties()
    }
}
