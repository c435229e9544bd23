//! What happens to the world without anybody deciding it: time, crashes, lost connections.

use ordered_core::protocol::{KeyState, Phase};

use crate::bounds::Bounds;
use crate::event::{DEAD, Slot, Which, dead, name};
use crate::mutated::NOW;
use crate::worker::{Stage, Worker};
use crate::world::World;

impl World {
    /// Whether the worker's lease is good, as the store sees it.
    pub(crate) fn is_alive(&self, slot: Slot) -> bool {
        self.bucket.is_alive(&name(slot), NOW)
    }

    /// How many deliveries of the event are in the queue or with workers.
    pub(crate) fn around(&self, which: Which) -> u8 {
        let with_workers = self.workers.iter().map(|worker| worker.has(which));
        self.queue[usize::from(which)] + with_workers.sum::<u8>()
    }

    pub(crate) fn renew(&mut self, slot: Slot, lease: u8) {
        self.bucket
            .leases
            .insert(name(slot), NOW + u64::from(lease));
    }

    /// The worker's deliveries go back to the queue.
    fn give_back(&mut self, slot: Slot) {
        let worker = &mut self.workers[usize::from(slot)];
        for which in std::mem::take(&mut worker.limbo) {
            self.queue[usize::from(which)] += 1;
        }
        for item in worker.items_mut() {
            self.queue[usize::from(item.event)] += std::mem::take(&mut item.live);
        }
    }

    pub(crate) fn lose_connection(&mut self, slot: Slot) {
        let worker = &mut self.workers[usize::from(slot)];
        for item in worker.items_mut() {
            item.stale |= item.live > 0;
        }
        self.give_back(slot);
    }

    /// The process dies. Another one with a new name takes its place.
    pub(crate) fn crash(&mut self, slot: Slot) {
        self.give_back(slot);
        self.workers[usize::from(slot)] = Worker::default();
        let lease = self.bucket.leases.remove(&name(slot));
        if let Some(claim) = self
            .key
            .claim
            .as_mut()
            .filter(|claim| claim.worker == name(slot))
        {
            claim.worker = dead();
            if let Some(lease) = lease {
                self.bucket.leases.insert(dead(), lease);
            }
        }
        if self.past.granted == Some(slot) {
            self.past.granted = Some(DEAD);
        }
    }

    /// The process ends in good order.
    pub(crate) fn leave(&mut self, slot: Slot) {
        self.bucket.leases.remove(&name(slot));
        self.crash(slot);
    }

    /// Time passes for everybody, and nobody gives a sign of life.
    pub(crate) fn tick(&mut self, bounds: &Bounds) {
        for worker in &mut self.workers {
            worker.lease = worker.lease.saturating_sub(1);
        }
        self.server_forward();
        if bounds.remembered.is_some() {
            self.key.shift_done(-1);
        }
        self.excuse();
    }

    /// Time passes, and the heartbeats of all whose lease is good come in time.
    pub(crate) fn calm_tick(&mut self, bounds: &Bounds) {
        let good: Vec<bool> = self.workers.iter().map(|worker| worker.lease > 0).collect();
        for worker in &mut self.workers {
            worker.lease = worker.lease.saturating_sub(1);
        }
        self.server_forward();
        for (slot, good) in (0..).zip(good) {
            if good {
                self.workers[usize::from(slot)].lease = bounds.lease;
                self.renew(slot, bounds.lease);
            }
        }
        if bounds.remembered.is_some() {
            self.key.shift_done(-1);
        }
        self.excuse();
    }

    fn server_forward(&mut self) {
        for expiry in self.bucket.leases.values_mut() {
            *expiry -= 1;
        }
        self.key.shift_phase(-1);
    }

    /// The server's clock jumps ahead: leases end there that workers take for good.
    pub(crate) fn step_forward(&mut self) {
        self.server_forward();
        for slot in 0..Slot::try_from(self.workers.len()).unwrap_or(0) {
            let alive = self.is_alive(slot);
            let worker = &mut self.workers[usize::from(slot)];
            worker.stepped |= worker.lease > 0 && !alive;
        }
        self.excuse();
    }

    /// The server's clock falls back: leases last longer than workers think.
    pub(crate) fn step_back(&mut self, bounds: &Bounds) {
        let most = NOW + 2 * u64::from(bounds.lease);
        for expiry in self.bucket.leases.values_mut() {
            *expiry = (*expiry + 1).min(most);
        }
        self.key.shift_phase(1);
    }

    /// Another worker may begin while a handler runs whose lease has ended.
    fn excuse(&mut self) {
        for slot in 0..Slot::try_from(self.workers.len()).unwrap_or(0) {
            let alive = self.is_alive(slot);
            if let Some(lane) = &mut self.workers[usize::from(slot)].lane
                && let Stage::Running { excused } = &mut lane.stage
            {
                *excused |= !alive;
            }
        }
    }
}

impl Worker {
    pub(crate) fn has(&self, which: Which) -> u8 {
        let items = self.items().filter(|item| item.event == which);
        let limbo = self.limbo.iter().filter(|other| **other == which);
        items.map(|item| item.live).sum::<u8>() + limbo.map(|_| 1).sum::<u8>()
    }
}

/// Moves what the state says about times, relative to a server's time that stands still.
pub(crate) trait Shift {
    fn shift_phase(&mut self, by: i64);
    fn shift_done(&mut self, by: i64);
    fn phase_is_plain(&self) -> bool;
    fn remembers(&self) -> bool;
}

impl Shift for KeyState {
    fn shift_phase(&mut self, by: i64) {
        if let Phase::BackingOff { until } = &mut self.phase {
            *until = until.saturating_add_signed(by).min(NOW + 2);
        }
        if let Some(since) = &mut self.gap_since {
            *since = since.saturating_add_signed(by).min(NOW + 2);
        }
    }

    fn shift_done(&mut self, by: i64) {
        for done in self.done.values_mut() {
            done.expires = done.expires.saturating_add_signed(by);
        }
        for (_, expires) in self.done_ids.values_mut() {
            *expires = expires.saturating_add_signed(by);
        }
        for passed in &mut self.passed {
            passed.until = passed.until.saturating_add_signed(by);
        }
    }

    fn phase_is_plain(&self) -> bool {
        !matches!(self.phase, Phase::BackingOff { until } if until > NOW)
    }

    fn remembers(&self) -> bool {
        !(self.done.is_empty() && self.done_ids.is_empty() && self.passed.is_empty())
    }
}
