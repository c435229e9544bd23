//! The same state, said in one way: times relative to now, fences counted from the lowest that anybody knows, workers
//! in an order of their own, and what nobody ever reads again left out. It keeps the number of states finite without a
//! bound on time, on crashes or on grants.

use std::mem::take;

use crate::bounds::{Bounds, OnGap};
use crate::event::{DEAD, Slot, dead, name, slot};
use crate::mutated::NOW;
use crate::store::{Answer, Ask};
use crate::worker::Worker;
use crate::world::World;

const FOR_GOOD: u64 = NOW + 1_000_000;

impl World {
    pub(crate) fn normalise(&mut self, bounds: &Bounds) {
        self.normalise_times(bounds);
        self.forget_steps();
        self.normalise_fences();
        self.normalise_workers();
    }

    fn normalise_times(&mut self, bounds: &Bounds) {
        let key = &mut self.key;
        let dead_has_claim = key
            .claim
            .as_ref()
            .is_some_and(|claim| claim.worker == dead());
        self.bucket
            .leases
            .retain(|worker, expiry| *expiry > NOW && (dead_has_claim || *worker != dead()));
        // Only a person reads these.
        key.trouble = None;
        key.gap_since = key
            .gap_since
            .filter(|_| bounds.on_gap != OnGap::Wait)
            .map(|since| since.max(NOW - 1));
        for dead in key.dead.values_mut() {
            dead.error.clear();
            dead.at = NOW;
            if !dead.replay {
                dead.attempts = 0;
            }
        }
        if let Some(claim) = &mut key.claim {
            claim.since = NOW;
        }
        for held in key.held.values_mut() {
            held.since = NOW;
        }
        if let ordered_core::protocol::Phase::BackingOff { until } = &mut key.phase {
            *until = (*until).max(NOW);
        }
        if bounds.remembered.is_none() {
            key.done
                .values_mut()
                .for_each(|done| done.expires = FOR_GOOD);
            let times = key.done_ids.values_mut().map(|(_, expires)| expires);
            times.for_each(|expires| *expires = FOR_GOOD);
            let passed = key.passed.iter_mut();
            passed.for_each(|passed| passed.until = FOR_GOOD);
        } else {
            key.done.retain(|_, done| done.expires > NOW);
            key.done_ids.retain(|_, (_, expires)| *expires > NOW);
            key.passed.retain(|passed| passed.until > NOW);
        }
    }

    /// A jump of the clock is over for a worker that has nothing left of that time.
    fn forget_steps(&mut self) {
        for slot in 0..Slot::try_from(self.workers.len()).unwrap_or(0) {
            let alive = self.is_alive(slot);
            let worker = &mut self.workers[usize::from(slot)];
            let empty = worker.lane.is_none() && worker.batch.is_empty();
            if empty && (alive || worker.lease == 0) {
                worker.stepped = false;
            }
        }
    }

    fn normalise_fences(&mut self) {
        self.forget_seizure();
        let mut known = Vec::with_capacity(8);
        self.each_fence(|fence| known.push(*fence));
        known.sort_unstable();
        known.dedup();
        if known
            .last()
            .is_some_and(|last| *last + 1 == known.len() as u64)
        {
            return;
        }
        self.each_fence(|fence| *fence = known.partition_point(|other| *other < *fence) as u64);
    }

    /// That a claim was ended by somebody matters as long as a worker has a grant of before.
    fn forget_seizure(&mut self) {
        let Some(seized) = self.past.seized.take() else {
            return;
        };
        let mut older = false;
        let now = self.key.fence.0;
        self.each_fence(|fence| older |= *fence < seized && *fence < now);
        self.past.seized = Some(seized).filter(|_| older);
    }

    fn each_fence(&mut self, mut act: impl FnMut(&mut u64)) {
        act(&mut self.key.fence.0);
        self.past.seized.iter_mut().for_each(&mut act);
        for worker in &mut self.workers {
            if let Some(lane) = &mut worker.lane {
                act(&mut lane.fence);
            }
            let asks = worker.outbox.iter_mut();
            let asks = asks.chain(worker.batch.iter_mut().map(|(ask, _)| ask));
            asks.filter_map(Ask::fence_mut).for_each(&mut act);
            let answers = worker.batch.iter_mut();
            answers
                .filter_map(|(_, answer)| answer.as_mut().and_then(Answer::fence_mut))
                .for_each(&mut act);
        }
    }

    fn normalise_workers(&mut self) {
        let claimant = self.key.claim.as_ref().map(|claim| slot(&claim.worker));
        let granted = self.past.granted;
        let seats = (0..).zip(take(&mut self.workers)).map(|(slot, worker)| {
            let lease = self.bucket.leases.get(&name(slot)).copied();
            Seat {
                worker,
                lease,
                claims: claimant == Some(slot),
                granted: granted == Some(slot),
                slot,
            }
        });
        let mut seats: Vec<Seat> = seats.collect();
        seats.sort_unstable();
        let moved = (0..).zip(&seats).any(|(slot, seat)| slot != seat.slot);
        if moved {
            let leases = &mut self.bucket.leases;
            leases.retain(|worker, _| *worker == dead());
            for (slot, seat) in (0..).zip(&seats) {
                leases.extend(seat.lease.map(|lease| (name(slot), lease)));
                if let Some(claim) = self.key.claim.as_mut().filter(|_| seat.claims) {
                    claim.worker = name(slot);
                }
                if seat.granted {
                    self.past.granted = Some(slot);
                }
            }
        }
        self.workers = seats.into_iter().map(|seat| seat.worker).collect();
        if self.past.granted == Some(DEAD) && claimant.is_none() {
            self.past.granted = None;
        }
    }
}

/// A worker and all that the rest of the world says about it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Seat {
    worker: Worker,
    lease: Option<u64>,
    claims: bool,
    granted: bool,
    slot: Slot,
}
