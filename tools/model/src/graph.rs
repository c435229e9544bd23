//! The way to the end. That from *every* state there is one cannot be said of a single path, so it is not asked of the
//! checker: the graph is explored once more, and walked backwards from the ends along steps without faults.

use std::collections::HashMap;
use std::hash::BuildHasher;

use stateright::Property;

use crate::Model;
use crate::act::Act;
use crate::properties::properties;
use crate::world::World;

/// How many worlds are looked at in one go.
const PIECE: usize = 4_096;

/// A step that was found.
struct Found {
    from: u32,
    print: u64,
    calm: bool,
    done: bool,
    broken: Option<&'static str>,
    /// The world after it, if that is new.
    after: Option<World>,
}

/// All states, by number, in the order in which a breadth-first walk finds them.
pub(crate) struct Graph {
    /// The number of each state, by its fingerprint.
    numbers: HashMap<u64, u32, foldhash::fast::FixedState>,
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
    /// Explores everything, if it can be numbered, with so many threads.
    pub(crate) fn of(model: &Model, threads: usize) -> Option<Self> {
        let first = model.first();
        let print = fingerprint(&first);
        let mut graph = Self {
            numbers: HashMap::from_iter([(print, 0_u32)]),
            parents: vec![0],
            prints: vec![print],
            done: vec![model.is_done(&first)],
            calm: Vec::new(),
            broken: None,
            steps: 0,
            depth: 0,
        };
        let mut layer = vec![(0_u32, first)];
        while !layer.is_empty() && graph.broken.is_none() {
            let mut next = Vec::new();
            // In pieces, so that not all worlds of a layer and of the next one are in memory at once.
            let mut rest = layer.into_iter().peekable();
            while rest.peek().is_some() && graph.broken.is_none() {
                let piece: Vec<(u32, World)> = rest.by_ref().take(PIECE).collect();
                for found in graph.look_around(model, &piece, threads) {
                    graph.add(found, &mut next)?;
                }
            }
            graph.depth += usize::from(!next.is_empty());
            layer = next;
        }
        graph.calm.sort_unstable();
        graph.calm.dedup();
        graph.numbers = HashMap::default();
        Some(graph)
    }

    /// Every step from each of the worlds. A world that is known already is not kept.
    fn look_around(&self, model: &Model, worlds: &[(u32, World)], threads: usize) -> Vec<Found> {
        let share = worlds.len().div_ceil(threads.max(1)).max(1);
        let look = |part: &[(u32, World)]| -> Vec<Found> {
            let around = |(from, world): &(u32, World)| -> Vec<Found> {
                let steps = model.steps(world).into_iter();
                let found = steps.map(|(act, after)| self.found(model, (*from, world), act, after));
                found.collect()
            };
            part.iter().flat_map(around).collect()
        };
        std::thread::scope(|scope| {
            let parts = worlds.chunks(share);
            let parts: Vec<_> = parts.map(|part| scope.spawn(move || look(part))).collect();
            let found = parts
                .into_iter()
                .map(|part| part.join().expect("a part panicked"));
            found.flatten().collect()
        })
    }

    fn found(&self, model: &Model, (from, world): (u32, &World), act: Act, after: World) -> Found {
        let print = fingerprint(&after);
        let known = self.numbers.contains_key(&print);
        let promises = properties();
        let breaks = |promise: &&Property<Model>| !(promise.condition)(model, &after);
        let broken = promises.iter().filter(|_| !known).find(breaks);
        Found {
            from,
            print,
            calm: model.is_calm(world, act),
            done: !known && model.is_done(&after),
            broken: broken.map(|promise| promise.name),
            after: (!known).then_some(after),
        }
    }

    fn add(&mut self, found: Found, next: &mut Vec<(u32, World)>) -> Option<()> {
        self.steps += 1;
        let fresh = u32::try_from(self.parents.len()).ok()?;
        let to = *self.numbers.entry(found.print).or_insert(fresh);
        if to == fresh {
            self.parents.push(found.from);
            self.prints.push(found.print);
            self.done.push(found.done);
            if let Some(promise) = found.broken {
                self.broken.get_or_insert((to, promise));
            }
            next.extend(found.after.map(|world| (to, world)));
        }
        if found.calm {
            self.calm.push((to, found.from));
        }
        Some(())
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
    foldhash::quality::FixedState::default().hash_one(world)
}
