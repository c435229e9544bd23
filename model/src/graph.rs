//! The way to the end. That from *every* state there is one cannot be said of a single path, so it is not asked of the
//! checker: the graph is explored once more, and walked backwards from the ends along steps without faults.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::Property;

use crate::Model;
use crate::properties::properties;
use crate::world::World;

/// All states, by number, in the order in which a breadth-first walk finds them.
pub(crate) struct Graph {
    /// From where each was found.
    parents: Vec<u32>,
    prints: Vec<u64>,
    done: Vec<bool>,
    /// Where the steps without faults lead, and from where.
    calm: Vec<(u32, u32)>,
    /// The first state in which a promise is broken, and the promise. Nothing is explored beyond it.
    pub(crate) broken: Option<(u32, &'static str)>,
    /// How many steps there are, faults included.
    pub(crate) steps: u64,
    /// The longest of the shortest ways to a state.
    pub(crate) depth: usize,
}

impl Graph {
    /// Explores everything, if it can be numbered.
    pub(crate) fn of(model: &Model) -> Option<Self> {
        let first = model.first();
        let mut numbers = HashMap::from([(fingerprint(&first), 0_u32)]);
        let mut graph = Self {
            parents: vec![0],
            prints: vec![fingerprint(&first)],
            done: vec![model.is_done(&first)],
            calm: Vec::new(),
            broken: None,
            steps: 0,
            depth: 0,
        };
        let promises = properties();
        let mut layer = vec![(0_u32, first)];
        while !layer.is_empty() && graph.broken.is_none() {
            let mut next = Vec::new();
            for (from, world) in layer {
                for (act, after) in model.steps(&world) {
                    graph.steps += 1;
                    let fresh = u32::try_from(graph.parents.len()).ok()?;
                    let print = fingerprint(&after);
                    let to = *numbers.entry(print).or_insert(fresh);
                    if to == fresh {
                        graph.parents.push(from);
                        graph.prints.push(print);
                        graph.done.push(model.is_done(&after));
                        let breaks =
                            |promise: &&Property<Model>| !(promise.condition)(model, &after);
                        if let Some(promise) = promises.iter().find(breaks) {
                            graph.broken.get_or_insert((to, promise.name));
                        }
                        next.push((to, after));
                    }
                    if model.is_calm(&world, act) {
                        graph.calm.push((to, from));
                    }
                }
            }
            graph.depth += usize::from(!next.is_empty());
            layer = next;
        }
        graph.calm.sort_unstable();
        graph.calm.dedup();
        Some(graph)
    }

    pub(crate) fn states(&self) -> usize {
        self.parents.len()
    }

    /// The nearest state from which no end can be reached, if there is one.
    pub(crate) fn dead_end(&self) -> Option<u32> {
        let mut reaches = self.done.clone();
        let all = 0..u32::try_from(self.parents.len()).unwrap_or(u32::MAX);
        let mut open: Vec<u32> = all.filter(|state| reaches[*state as usize]).collect();
        while let Some(to) = open.pop() {
            let begin = self.calm.partition_point(|(end, _)| *end < to);
            let into = self.calm[begin..].iter().take_while(|(end, _)| *end == to);
            for (_, from) in into {
                if !std::mem::replace(&mut reaches[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        let first = reaches.iter().position(|reaches| !reaches)?;
        u32::try_from(first).ok()
    }

    /// The shortest way there, as worlds; walked again, since they were not kept.
    pub(crate) fn way_to(&self, model: &Model, state: u32) -> Vec<World> {
        let mut way = vec![state];
        while let Some(parent) = way
            .last()
            .filter(|last| **last != 0)
            .map(|last| self.parents[*last as usize])
        {
            way.push(parent);
        }
        let mut worlds = vec![model.first()];
        for state in way.into_iter().rev().skip(1) {
            let here = &worlds[worlds.len() - 1];
            let steps = model.steps(here).into_iter().map(|(_, after)| after);
            let print = self.prints[state as usize];
            worlds.extend(steps.filter(|after| fingerprint(after) == print).take(1));
        }
        worlds
    }
}

pub(crate) fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}
