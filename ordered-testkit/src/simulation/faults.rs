use std::time::Duration;

use ordered_core::transport;

/// Which faults meet the workers, and how often. Percentages are of single calls, deliveries or events; intervals are
/// the mean time between two of a kind, over all workers, while the faults last.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// How long faults happen; then everything must come to its end.
    pub duration: Duration,
    /// Each event of the stream is moved by up to this many places.
    pub shuffle: usize,
    /// Percent of the events that are published twice.
    pub duplicate: u8,
    /// Percent of the deliveries that are lost on their way, and made again.
    pub drop: u8,
    /// Percent of the acknowledgements that are lost, so that the event is delivered again.
    pub forget: u8,
    /// How late an event may be.
    pub late: Duration,
    /// How long a call of the store may take.
    pub slow_store: Duration,
    /// Percent of the calls of the store that are applied, wholly or in part, and whose reply is lost.
    pub lost_replies: u8,
    /// Percent of the calls of the store that fail without having been applied.
    pub lost_calls: u8,
    /// Percent of the exchanges with the store that fail for the worker, and reach the store up to a lease later:
    /// packets of a connection that it has given up. The store refuses one that comes after a later one of the same
    /// worker.
    pub stragglers: u8,
    /// Percent of the runs of the handler that fail before, or after, they did what they do.
    pub failures: u8,
    /// Percent of the runs of the handler that hang until their timeout.
    pub hangs: u8,
    /// How long a handler may take.
    pub slow_handler: Duration,
    /// Between two crashes of a worker; another process takes its place.
    pub crashes: Option<Duration>,
    /// Between two restarts of a worker in good order.
    pub restarts: Option<Duration>,
    /// Between two times that a worker is frozen, for up to three leases.
    pub pauses: Option<Duration>,
    /// Between two times that the store is unavailable for all.
    pub store_outages: Option<Duration>,
    /// Between two times that a worker's connection to the broker is cut.
    pub broker_cuts: Option<Duration>,
}

impl Faults {
    /// None: events come in order, once, and nothing fails.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            duration: Duration::ZERO,
            shuffle: 0,
            duplicate: 0,
            drop: 0,
            forget: 0,
            late: Duration::ZERO,
            slow_store: Duration::ZERO,
            lost_replies: 0,
            lost_calls: 0,
            stragglers: 0,
            failures: 0,
            hangs: 0,
            slow_handler: Duration::ZERO,
            crashes: None,
            restarts: None,
            pauses: None,
            store_outages: None,
            broker_cuts: None,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            duration: Duration::from_secs(20),
            shuffle: 20,
            duplicate: 10,
            drop: 3,
            forget: 3,
            late: Duration::from_secs(10),
            slow_store: Duration::from_millis(40),
            lost_replies: 3,
            lost_calls: 3,
            stragglers: 1,
            failures: 5,
            hangs: 1,
            slow_handler: Duration::from_millis(300),
            crashes: Some(Duration::from_secs(6)),
            restarts: Some(Duration::from_secs(12)),
            pauses: Some(Duration::from_secs(5)),
            store_outages: Some(Duration::from_secs(15)),
            broker_cuts: Some(Duration::from_secs(8)),
        }
    }

    pub(super) fn of_broker(&self, seed: u64) -> transport::Faults {
        transport::Faults {
            seed,
            shuffle: self.shuffle,
            duplicate: self.duplicate,
            drop: self.drop,
            forget: self.forget,
            delay: self.late,
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::all()
    }
}
