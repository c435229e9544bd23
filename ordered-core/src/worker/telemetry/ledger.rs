use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, SharedString, counter, gauge};

use super::label::Outcome;
use super::metric;

/// Every delivery of one worker: taken in, and then in exactly one outcome.
///
/// At any time `received` is the sum of all outcomes and of what is unsettled; after the end nothing is unsettled.
pub(in crate::worker) struct Ledger {
    received: Counter,
    outcomes: [Counter; Outcome::VALUES.len()],
    unsettled: Gauge,
    /// What of `unsettled` is this worker's.
    open: AtomicU64,
}

impl Ledger {
    pub(super) fn new(label: &impl Fn() -> SharedString) -> Self {
        Self {
            received: counter!(metric::RECEIVED.name, "group" => label()),
            outcomes: array::from_fn(|outcome| {
                let outcome = Outcome::VALUES[outcome];
                counter!(metric::DELIVERIES.name, "group" => label(), "outcome" => outcome)
            }),
            unsettled: gauge!(metric::UNSETTLED.name, "group" => label()),
            open: AtomicU64::new(0),
        }
    }

    /// The transport has handed over so many. Said before anything can settle them.
    pub(in crate::worker) fn received(&self, deliveries: usize) {
        let deliveries = deliveries as u64;
        self.open.fetch_add(deliveries, Ordering::Relaxed);
        self.unsettled.increment(float(deliveries));
        self.received.increment(deliveries);
    }

    /// So many had this outcome.
    pub(in crate::worker) fn settled(&self, outcome: Outcome, deliveries: u64) {
        if deliveries > 0 {
            self.open.fetch_sub(deliveries, Ordering::Relaxed);
            self.count(outcome, deliveries);
        }
    }

    /// What is open now is never settled any more.
    pub(super) fn close(&self) {
        let open = self.open.swap(0, Ordering::Relaxed);
        if open > 0 {
            self.count(Outcome::Returned, open);
        }
    }

    fn count(&self, outcome: Outcome, deliveries: u64) {
        self.unsettled.decrement(float(deliveries));
        self.outcomes[outcome as usize].increment(deliveries);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "what is unsettled fits into memory"
)]
fn float(deliveries: u64) -> f64 {
    deliveries as f64
}
