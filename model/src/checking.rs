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
    pub story: String,
}

/// The property that is checked on the graph as a whole.
const NO_DEAD_END: &str = "no dead end";

/// Explores everything: the properties of states with `stateright`, and then the way to the end from each of them.
///
/// # Panics
/// When the two explorations do not find the same number of states, which would be a mistake in this crate.
#[must_use]
pub fn check(model: &Model, threads: usize) -> Report {
    let begun = Instant::now();
    let (states, is_broken) = properties(model, threads);
    if is_broken {
        // The checker's story is one of those in the block that it was at; this is a shortest one.
        let graph = Graph::of(model, usize::MAX).expect("fewer than 2^32 states");
        let finding = graph
            .broken(model)
            .map(|(promise, way)| model.finding(promise, &way));
        assert!(finding.is_some(), "two ways to explore the same graph");
        return Report {
            states,
            steps: 0,
            depth: 0,
            took: begun.elapsed(),
            finding,
        };
    }
    let graph = Graph::of(model, usize::MAX).expect("fewer than 2^32 states");
    assert_eq!(graph.states(), states, "two ways to explore the same graph");
    let finding = graph
        .dead_end()
        .map(|state| model.finding(NO_DEAD_END, &graph.way_to(model, state)));
    Report {
        states,
        steps: graph.steps,
        depth: graph.depth,
        took: begun.elapsed(),
        finding,
    }
}

fn properties(model: &Model, threads: usize) -> (usize, bool) {
    let checker = model
        .clone()
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::Any)
        .spawn_bfs()
        .join();
    (
        checker.unique_state_count(),
        !checker.discoveries().is_empty(),
    )
}

/// Looks for a mistake in one world after the other.
#[must_use]
pub fn hunt(mutation: Mutation, worlds: &[Bounds]) -> Option<Finding> {
    worlds
        .iter()
        .find_map(|bounds| check(&Model::with(mutation, *bounds), 1).finding)
}

impl Model {
    fn finding(&self, property: &'static str, path: &[World]) -> Finding {
        Finding {
            property,
            bounds: self.bounds.name,
            story: self.tell(path),
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
        f.write_str(&self.story)
    }
}
