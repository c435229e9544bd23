use tokio::time::Instant;

use crate::protocol::Millis;

/// The store's time, as its last answer said, counted on from there by the worker's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreClock {
    at: Instant,
    now: Millis,
}

impl StoreClock {
    /// The store has just said that it is `now`.
    pub(super) fn said(now: Millis) -> Self {
        Self::said_at(now, Instant::now())
    }

    pub(super) fn said_at(now: Millis, at: Instant) -> Self {
        Self { at, now }
    }

    pub(super) fn now(self) -> Millis {
        let since = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now.saturating_add(since)
    }
}
