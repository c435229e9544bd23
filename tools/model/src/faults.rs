//! What happens to the world without anybody deciding it: crashes, lost connections, the ends of leases, lost state.

use crate::Model;
use crate::bounds::Bounds;
use crate::event::{KeyNumber, Slot};
use crate::store::{Lease, Record, Who};
use crate::worker::Worker;
use crate::world::World;

impl World {
    /// The worker's deliveries go back to the queue.
    fn give_back(&mut self, slot: Slot) {
        let live = &mut self.workers[usize::from(slot)].live;
        for (queued, live) in self.queue.iter_mut().zip(live) {
            *queued += std::mem::take(live);
        }
    }

    pub(crate) fn lose_connection(&mut self, slot: Slot) {
        let worker = &mut self.workers[usize::from(slot)];
        worker.stale.clone_from(&worker.live);
        worker.connection = 1 - worker.connection;
        self.give_back(slot);
    }

    /// The process dies. Another one with a new name takes its place.
    pub(crate) fn crash(&mut self, slot: Slot, bounds: &Bounds) {
        let over = self.store.leases[usize::from(slot)] != Lease::Alive;
        self.replace(slot, Who::Crashed(over), bounds);
    }

    /// The process ends, in good order or when its time for that is over.
    pub(crate) fn leave(&mut self, slot: Slot, bounds: &Bounds) {
        self.replace(slot, Who::Left, bounds);
    }

    fn replace(&mut self, slot: Slot, by: Who, bounds: &Bounds) {
        self.give_back(slot);
        self.workers[usize::from(slot)] = Worker::new(bounds);
        self.store.leases[usize::from(slot)] = Lease::Alive;
        for record in &mut self.store.records {
            if let Some(owner) = &mut record.owner
                && owner.who == Who::Worker(slot)
            {
                owner.who = by;
            }
        }
        for past in &mut self.pasts {
            past.granted = past.granted.filter(|who| *who != Who::Worker(slot));
        }
    }

    /// The store takes the worker for dead, which has not been sure of its lease for a while.
    pub(crate) fn expire(&mut self, slot: Slot) {
        self.store.leases[usize::from(slot)] = Lease::Dead;
        let runs = &mut self.workers[usize::from(slot)].runs;
        runs.iter_mut().for_each(|run| run.excused = true);
    }

    /// The lease ends of an owner that is gone.
    pub(crate) fn end_lease(&mut self, key: KeyNumber) {
        if let Some(owner) = &mut self.store.records[key].owner {
            owner.who = match owner.who {
                Who::Crashed(_) => Who::Crashed(true),
                Who::Operator(_) => Who::Operator(true),
                who => who,
            };
        }
    }

    /// The key is taken from whoever runs it.
    pub(crate) fn take_away(&mut self, key: KeyNumber) {
        self.pasts[key].forced = true;
        let runs = self.workers.iter_mut().flat_map(|worker| &mut worker.runs);
        runs.filter(|run| run.key == key)
            .for_each(|run| run.excused = true);
    }
}

impl Model {
    /// The store is empty, and opened anew.
    pub(crate) fn lose_state(&self, world: &mut World) {
        for key in world.keys() {
            for which in self.bounds.published() {
                if self.is_in_store(world, which) {
                    world.pasts[key].forgotten.insert(which);
                }
            }
            world.take_away(key);
            world.store.records[key] = Record::default();
            world.pasts[key].granted = None;
        }
        for (worker, lease) in world.workers.iter_mut().zip(&mut world.store.leases) {
            worker.session_lost = true;
            worker.late.clear();
            *lease = Lease::Absent;
        }
        world.lost = true;
    }
}
