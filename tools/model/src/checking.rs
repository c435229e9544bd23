use std::fmt;
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model as _};

use crate::graph::Graph;
use crate::{Bounds, Model, Mutation, World};

/// What exploring a world showed.
#[derive(Debug)]
pub struct Report {
    /// How many states there are.
    pub states: usize,
    /// How many steps between them.
    pub steps: u64,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// What was found, if something was.
    pub finding: Option<Finding>,
}

/// A promise that is broken, and how.
#[derive(Debug)]
pub struct Finding {
    /// The property's name.
    pub property: &'static str,
    /// Among which bounds it was found.
    pub bounds: &'static str,
    /// One line for each step.
    pub trace: String,
}

/// The property that is checked on the graph as a whole.
const NO_DEAD_END: &str = "no dead end";

/// Worlds with more states are explored once only.
const TWICE: usize = 100_000;

/// Explores everything: the promises in each state, and the way to the end from each. A world that is not large is
/// explored once more with `stateright`, which must find the same.
///
/// # Panics
/// When the two explorations do not find the same, which would be a mistake in this crate.
#[must_use]
pub fn check(model: &Model, threads: usize) -> Report {
    let begun = Instant::now();
    let graph = Graph::of(model, threads).expect("fewer than 2^32 states");
    if graph.broken.is_none() && graph.states() <= TWICE {
        let checker = model.clone().checker().threads(threads);
        let checker = checker.finish_when(HasDiscoveries::Any).spawn_bfs().join();
        assert!(checker.discoveries().is_empty(), "two ways to judge");
        let states = checker.unique_state_count();
        assert_eq!(graph.states(), states, "two ways to explore");
    }
    Report {
        states: graph.states(),
        steps: graph.steps,
        depth: graph.depth,
        took: begun.elapsed(),
        finding: graph.finding(model),
    }
}

/// Looks for a mistake in one world after the other.
///
/// # Panics
/// When a world has more than 2^32 states.
#[must_use]
pub fn hunt(mutation: Mutation, worlds: &[Bounds]) -> Option<Finding> {
    worlds.iter().find_map(|bounds| {
        let model = Model::with(mutation, *bounds);
        let graph = Graph::of(&model, 2).expect("fewer than 2^32 states");
        graph.finding(&model)
    })
}

impl Graph {
    fn finding(&self, model: &Model) -> Option<Finding> {
        let (promise, state) = match self.broken {
            Some((state, promise)) => (promise, state),
            None => (NO_DEAD_END, self.dead_end()?),
        };
        Some(model.finding(promise, &self.way_to(model, state)))
    }
}

impl Model {
    fn finding(&self, property: &'static str, path: &[World]) -> Finding {
        Finding {
            property,
            bounds: self.bounds.name,
            trace: self.trace(path),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "“{}” is broken in the world “{}”:",
            self.property, self.bounds
        )?;
        f.write_str(&self.trace)
    }
}
