use std::time::Duration;

use crate::handler::Backoff;

/// The waits between tries of something that is away, forever.
#[derive(Debug)]
pub(super) struct Tries {
    failed: u32,
    random: fastrand::Rng,
}

const WAITS: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(1),
};

impl Tries {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self { failed: 0, random }
    }

    /// Whether nothing failed since the last success.
    pub(super) fn is_fresh(&self) -> bool {
        self.failed == 0
    }

    /// Counts a failure and says how long to wait.
    pub(super) fn failed(&mut self) -> Duration {
        self.failed = self.failed.saturating_add(1);
        WAITS.bound(self.failed) / 2 + WAITS.wait(self.failed, &mut self.random) / 2
    }

    pub(super) fn succeeded(&mut self) {
        self.failed = 0;
    }
}
