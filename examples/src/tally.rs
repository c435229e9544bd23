use std::collections::BTreeMap;
use std::sync::Arc;

use ordered_events::WorkerEvent;
use tokio::sync::watch;

/// What happened to events, over all workers that are observed with it.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<watch::Sender<Counts>>);

/// How many of each.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Deliveries.
    pub received: usize,
    /// Events that were handled, and are done.
    pub committed: usize,
    /// Deliveries that came too early, and were held.
    pub held: usize,
    /// Deliveries of events that were done or known already.
    pub duplicates: usize,
    /// Versions that were not run because of a newer one.
    pub superseded: usize,
    /// The numbers of each key in the order in which they were committed.
    pub numbers: BTreeMap<String, Vec<u64>>,
}

impl Tally {
    /// Counts what a worker tells: `.observe(move |worker_event| tally.count(worker_event))`.
    pub fn count(&self, worker_event: &WorkerEvent<'_>) {
        self.0.send_modify(|counts| match worker_event {
            WorkerEvent::Received { .. } => counts.received += 1,
            WorkerEvent::Held { .. } => counts.held += 1,
            WorkerEvent::Duplicate { .. } => counts.duplicates += 1,
            WorkerEvent::Superseded { .. } => counts.superseded += 1,
            WorkerEvent::Committed { event, .. } => {
                counts.committed += 1;
                let of_key = counts.numbers.entry(event.key.to_string()).or_default();
                of_key.push(event.seq.get());
            }
            _ => {}
        });
    }

    /// Waits until the counts are like this.
    pub async fn until(&self, mut is_reached: impl FnMut(&Counts) -> bool) {
        let mut counts = self.0.subscribe();
        // It cannot fail: the sender is in `self`.
        let _ = counts.wait_for(|counts| is_reached(counts)).await;
    }

    /// As they are now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.borrow().clone()
    }
}

impl Counts {
    /// How many deliveries have come to an end.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.committed + self.duplicates + self.superseded
    }

    /// The keys of which not exactly 1, 2, 3, … up to this number was committed, in that order.
    #[must_use]
    pub fn wrong(&self, last: u64) -> Vec<&str> {
        let wrong = self
            .numbers
            .iter()
            .filter(|(_, numbers)| !numbers.iter().copied().eq(1..=last));
        wrong.map(|(key, _)| key.as_str()).collect()
    }
}
