use std::collections::BTreeMap;

use crate::protocol::{Millis, WorkerId};

/// What a look at a worker finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Liveness {
    /// It sends heartbeats, or is only in doubt.
    Alive,
    /// It sent none for its whole lease.
    Dead,
    /// It left, or never sent one.
    Absent,
}

/// The lease of a worker, which ends in two looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    /// When the last heartbeat came.
    beat: Millis,
    /// How long the lease is.
    length: Millis,
    /// When a look found half of the lease gone without a heartbeat.
    doubt: Option<Millis>,
}

impl Lease {
    fn look(&mut self, now: Millis) -> Liveness {
        let half = self.length / 2;
        // Times that lie ahead were noted before the clock stepped back.
        self.beat = self.beat.min(now);
        self.doubt = self.doubt.map(|doubt| doubt.min(now));
        match self.doubt {
            Some(doubt) if now >= doubt.saturating_add(half) => return Liveness::Dead,
            None if now >= self.beat.saturating_add(half) => self.doubt = Some(now),
            _ => {}
        }
        Liveness::Alive
    }

    /// Whether the worker would count as alive now. Not a look: it changes nothing.
    pub(super) fn is_alive(mut self, now: Millis) -> bool {
        self.look(now) == Liveness::Alive
    }

    /// When the lease is over, if no heartbeat comes and the looks come in time.
    pub(super) fn until(&self) -> Millis {
        self.beat.saturating_add(self.length)
    }
}

/// The leases of the workers in one bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct Leases(BTreeMap<WorkerId, Lease>);

impl Leases {
    /// Renews the lease of a worker.
    pub(super) fn beat(&mut self, worker: &WorkerId, length: Millis, now: Millis) {
        let lease = Lease {
            beat: now,
            length,
            doubt: None,
        };
        self.0.insert(worker.clone(), lease);
    }

    pub(super) fn remove(&mut self, worker: &WorkerId) {
        self.0.remove(worker);
    }

    pub(super) fn get(&self, worker: &WorkerId) -> Option<&Lease> {
        self.0.get(worker)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&WorkerId, &Lease)> {
        self.0.iter()
    }

    /// Looks at a worker.
    pub(super) fn look(&mut self, worker: &WorkerId, now: Millis) -> Liveness {
        let lease = self.0.get_mut(worker);
        lease.map_or(Liveness::Absent, |lease| lease.look(now))
    }

    /// Looks at all workers, and answers those that are dead.
    pub(super) fn look_at_all(&mut self, now: Millis) -> Vec<WorkerId> {
        let dead = |(worker, lease): (&WorkerId, &mut Lease)| {
            (lease.look(now) == Liveness::Dead).then(|| worker.clone())
        };
        self.0.iter_mut().filter_map(dead).collect()
    }
}
