use tokio::time::Instant;

use crate::protocol::Millis;

/// The store's time of its last answer, counted on from there by the worker's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreClock {
    at: Instant,
    now: Millis,
}

impl StoreClock {
    /// It is `now` at the store, as it has just answered.
    pub(super) fn synced(now: Millis) -> Self {
        Self::synced_at(now, Instant::now())
    }

    pub(super) fn synced_at(now: Millis, at: Instant) -> Self {
        Self { at, now }
    }

    pub(super) fn now(self) -> Millis {
        let since = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now.saturating_add(since)
    }
}
