use std::time::Duration;

use crate::handler::Backoff;

/// The waits between calls of something that is unavailable, as long as it is.
#[derive(Debug)]
pub(super) struct RetryBackoff {
    failures: u32,
    random: fastrand::Rng,
}

const WAITS: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(1),
};

impl RetryBackoff {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self {
            failures: 0,
            random,
        }
    }

    /// Another one, for another thing to wait for.
    pub(super) fn fork(&mut self) -> Self {
        Self::new(self.random.fork())
    }

    /// Whether nothing failed since the last success.
    pub(super) fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// How long to wait if the call that begins now fails.
    pub(super) fn next_wait(&mut self) -> Duration {
        let number = self.failures.saturating_add(1);
        WAITS.bound(number) / 2 + WAITS.wait(number, &mut self.random) / 2
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}
