//! Servers that are not up yet when a worker starts.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// The wait before the second attempt; it doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// The attempts to reach a server that is unavailable at start, until a timeout. Logs once that it waits.
#[doc(hidden)]
#[derive(Debug)]
pub struct ConnectRetry {
    timeout: Duration,
    deadline: Instant,
    wait: Duration,
    /// What it waits for, once that is logged.
    waiting_for: Option<String>,
}

impl ConnectRetry {
    /// From now on.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            deadline: Instant::now() + timeout,
            wait: SHORTEST,
            waiting_for: None,
        }
    }

    /// Whether another attempt is to be made.
    #[must_use]
    pub fn has_time_left(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Waits before the next attempt. `what` did not answer, with this error.
    pub async fn wait(&mut self, what: &str, error: impl fmt::Display) {
        if self.waiting_for.is_none() {
            self.waiting_for = Some(what.to_owned());
            warn!(%error, connect_timeout = ?self.timeout, "{what} is unavailable: waiting for it");
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        sleep(self.wait.min(left)).await;
        self.wait = (self.wait * 2).min(LONGEST);
    }

    /// An attempt was successful.
    pub fn succeeded(self) {
        if let Some(what) = self.waiting_for {
            info!("{what} is available");
        }
    }
}
