//! The same state, said in one way: times relative to now, fences counted anew from the lowest that anybody knows,
//! workers in an order of their own, and what nobody ever reads again left out. It keeps the number of states finite
//! without a bound on time, on crashes or on grants.

use std::hash::{BuildHasher, Hash, Hasher};
use std::mem::take;

use ordered_core::protocol::engine::Visitor;
use ordered_core::protocol::{Fence, KeyState, Phase};
use ordered_core::store::{Answer, Listing, ListingChange, NEVER, Request};

use crate::Model;
use crate::bounds::{OnGap, TICK};
use crate::event::{Slot, number};
use crate::store::{NOW, Who};
use crate::worker::{Answered, Worker};
use crate::world::World;

fn tick() -> u64 {
    u64::try_from(TICK.as_millis()).expect("a tick is short")
}

impl Model {
    pub(crate) fn normalise(&self, world: &mut World) {
        world.drop_void_calls();
        world.visit(&mut Times { model: self, by: 0 });
        world.forget_expired();
        world.normalise_numbers();
        world.normalise_workers();
    }

    /// Time passes.
    pub(crate) fn tick(&self, world: &mut World) {
        world.visit(&mut Times {
            model: self,
            by: tick(),
        });
        if self.bounds.remembered.is_some() {
            let records = world.store.records.iter_mut();
            let expiries = records.flat_map(|record| record.remembered.values_mut());
            expiries.for_each(|expiry| *expiry -= tick());
        }
    }

    /// Whether anything changes when time passes.
    pub(crate) fn time_matters(&self, world: &World) -> bool {
        let waits = |listing: &Listing| {
            let gap = self.bounds.on_gap != OnGap::Wait && listing.gap.is_some();
            gap || listing.due.is_some_and(|due| due > NOW && due < NEVER)
        };
        world.store.records.iter().any(|record| {
            waits(&record.listing)
                || self.bounds.remembered.is_some() && !record.remembered.is_empty()
        })
    }

    pub(crate) fn dedup_ttl(&self) -> u64 {
        u64::try_from(self.policy.dedup_ttl.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Moves all times towards the past, and says each in one way.
struct Times<'a> {
    model: &'a Model,
    by: u64,
}

impl Visitor for Times<'_> {
    fn fence(&mut self, _: &mut Fence) {}

    fn state(&mut self, state: &mut KeyState) {
        // Only a person reads it.
        state.last_error = None;
        // More deaths than make a suspect change nothing.
        state.unfinished = state.unfinished.min(2);
        state.tried_at = state.tried_at.min(NOW);
        match &mut state.phase {
            Phase::Open => {}
            Phase::BackingOff { until, .. } => *until = (*until - self.by).max(NOW),
            Phase::Halted { since } => *since = NOW,
        }
        if state.tried_at > 0 {
            state.tried_at = NOW;
        }
        state.gap_since = state.gap_since.map(|since| self.gap(since));
        if let Some(asked) = &mut state.repair {
            asked.at = self.gap(asked.at);
        }
        state.producers.change_gap_times(|at| self.gap(at));
        let ttl = self.model.dedup_ttl();
        if self.model.bounds.remembered.is_none() {
            state.anchors.iter_mut().for_each(|anchor| anchor.at = NOW);
            let skipped = state.skipped.iter_mut();
            skipped.for_each(|range| range.until = NOW + ttl);
        } else {
            state
                .anchors
                .iter_mut()
                .for_each(|anchor| anchor.at -= self.by);
            state.anchors.retain(|anchor| anchor.at + ttl > NOW);
            state
                .skipped
                .iter_mut()
                .for_each(|range| range.until -= self.by);
            state.skipped.retain(|range| range.until > NOW);
        }
    }

    fn listing(&mut self, listing: &mut Listing) {
        listing.due = listing.due.map(|due| {
            if due < NEVER {
                (due - self.by.min(due)).max(NOW)
            } else {
                NEVER
            }
        });
        listing.gap = listing.gap.map(|since| self.gap(since));
        listing.halted = listing.halted.map(|_| NOW);
    }

    fn told_at(&mut self, at: &mut u64) {
        *at = self.gap(*at);
    }
}

impl Times<'_> {
    fn gap(&self, since: u64) -> u64 {
        if self.model.bounds.on_gap == OnGap::Wait {
            NOW
        } else {
            (since - self.by).clamp(NOW - tick(), NOW)
        }
    }
}

/// Collects the fences that anybody knows.
#[derive(Default)]
struct Fences(Vec<u64>);

impl Visitor for Fences {
    fn fence(&mut self, fence: &mut Fence) {
        self.0.push(fence.0);
    }
    fn state(&mut self, _: &mut KeyState) {}
    fn listing(&mut self, _: &mut Listing) {}
    fn told_at(&mut self, _: &mut u64) {}
}

/// Counts them anew. None stays none.
struct Rename(Vec<u64>);

impl Visitor for Rename {
    fn fence(&mut self, fence: &mut Fence) {
        fence.0 = self.0.partition_point(|other| *other < fence.0) as u64;
    }
    fn state(&mut self, _: &mut KeyState) {}
    fn listing(&mut self, _: &mut Listing) {}
    fn told_at(&mut self, _: &mut u64) {}
}

impl World {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        for record in &mut self.store.records {
            if let Some(owner) = &mut record.owner {
                visitor.fence(&mut owner.fence);
            }
            if let Some((bytes, fence)) = &mut record.body {
                visitor.fence(fence);
                visit_body(bytes, visitor);
            }
            visitor.listing(&mut record.listing);
        }
        for worker in &mut self.workers {
            worker.engine.visit(visitor);
            if let Some(call) = &mut worker.call {
                call.pending
                    .iter_mut()
                    .for_each(|pending| pending.visit(visitor));
                if let Some(Answered::Exchange(exchange)) = &mut call.answer {
                    exchange
                        .answers
                        .iter_mut()
                        .for_each(|answer| visit_answer(answer, visitor));
                }
                call.requests
                    .iter_mut()
                    .for_each(|request| visit_request(request, visitor));
            }
            worker
                .late
                .iter_mut()
                .for_each(|request| visit_request(request, visitor));
        }
    }

    /// Calls that will change nothing any more.
    fn drop_void_calls(&mut self) {
        for (worker, slot) in self.workers.iter_mut().zip(0..) {
            let records = &self.store.records;
            worker.late.retain(|request| match request {
                Request::Acquire(_) => true,
                Request::Save(save) => {
                    let owner = records[number(&save.key)].owner.as_ref();
                    owner.is_some_and(|owner| {
                        owner.who == Who::Worker(slot) && owner.fence == save.fence
                    })
                }
            });
        }
    }

    fn forget_expired(&mut self) {
        for record in &mut self.store.records {
            record.remembered.retain(|_, until| *until > NOW);
        }
    }

    fn normalise_numbers(&mut self) {
        let mut fences = Fences(vec![0]);
        self.visit(&mut fences);
        let Fences(mut known) = fences;
        known.sort_unstable();
        known.dedup();
        if known
            .last()
            .is_some_and(|last| *last + 1 != known.len() as u64)
        {
            self.visit(&mut Rename(known));
        }
        for worker in &mut self.workers {
            let runs = &mut worker.runs;
            let mut renamed = Vec::new();
            worker.engine.renumber(|from, to| renamed.push((from, to)));
            for run in runs.iter_mut() {
                let new = renamed.iter().find(|(from, _)| *from == run.id.number);
                // A run that the engine knows no more is never heard of again.
                run.id.number = new.map_or(u64::MAX, |(_, to)| *to);
            }
            runs.sort_unstable_by_key(|run| (run.key, run.id.number));
            let none = worker
                .live
                .iter()
                .chain(&worker.stale)
                .all(|count| *count == 0);
            if none {
                worker.connection = 0;
            }
        }
    }

    fn normalise_workers(&mut self) {
        self.workers.iter_mut().for_each(Worker::take_print);
        if self.workers.len() < 2 {
            return;
        }
        let place = |who: Option<Who>, slot: Slot| who == Some(Who::Worker(slot));
        let mut seats: Vec<(u64, Slot)> = Vec::with_capacity(self.workers.len());
        for (worker, slot) in self.workers.iter().zip(0..) {
            let mut hasher = foldhash::quality::FixedState::default().build_hasher();
            worker.hash(&mut hasher);
            self.store.leases[usize::from(slot)].hash(&mut hasher);
            for record in &self.store.records {
                place(record.owner(), slot).hash(&mut hasher);
            }
            for past in &self.pasts {
                place(past.granted, slot).hash(&mut hasher);
            }
            seats.push((hasher.finish(), slot));
        }
        if seats.is_sorted() {
            return;
        }
        seats.sort_unstable();
        let new = |who: &mut Who| {
            if let Who::Worker(slot) = who {
                let place = seats.iter().position(|(_, old)| old == slot);
                *slot = place
                    .and_then(|place| Slot::try_from(place).ok())
                    .unwrap_or(*slot);
            }
        };
        for record in &mut self.store.records {
            record
                .owner
                .iter_mut()
                .for_each(|owner| new(&mut owner.who));
        }
        self.pasts
            .iter_mut()
            .for_each(|past| past.granted.iter_mut().for_each(new));
        let mut workers: Vec<_> = take(&mut self.workers).into_iter().map(Some).collect();
        let leases = take(&mut self.store.leases);
        for (_, slot) in &seats {
            let slot = usize::from(*slot);
            self.workers.extend(workers[slot].take());
            self.store.leases.push(leases[slot]);
        }
    }
}

fn visit_body(bytes: &mut bytes::Bytes, visitor: &mut impl Visitor) {
    let before = KeyState::decode(bytes, Fence(0)).expect("the model has one version of the body");
    let mut state = before.clone();
    visitor.state(&mut state);
    if state != before {
        *bytes = state.encode(Fence(0));
    }
}

fn visit_answer(answer: &mut Answer, visitor: &mut impl Visitor) {
    if let Answer::Owned(owned) = answer {
        visitor.fence(&mut owned.fence);
        visitor.fence(&mut owned.body_fence);
        if let Some(body) = &mut owned.body {
            visit_body(body, visitor);
        }
    }
}

fn visit_request(request: &mut Request, visitor: &mut impl Visitor) {
    if let Request::Save(save) = request {
        visitor.fence(&mut save.fence);
        if let Some(body) = &mut save.body {
            visit_body(body, visitor);
        }
        let ListingChange { due, gap, halted } = save.listing;
        let mut listing = Listing {
            due: due.flatten(),
            gap: gap.flatten(),
            halted: halted.flatten(),
        };
        visitor.listing(&mut listing);
        save.listing = ListingChange {
            due: due.map(|_| listing.due),
            gap: gap.map(|_| listing.gap),
            halted: halted.map(|_| listing.halted),
        };
    }
}
