//! Servers that are not up yet when a worker starts.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// The wait before the second attempt; it doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// How long a server that is unavailable at start is waited for. Says so once.
#[doc(hidden)]
#[derive(Debug)]
pub struct ConnectPatience {
    timeout: Duration,
    until: Instant,
    wait: Duration,
    told: Option<String>,
}

impl ConnectPatience {
    /// From now on.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            until: Instant::now() + timeout,
            wait: SHORTEST,
            told: None,
        }
    }

    /// Whether another attempt is to be made.
    #[must_use]
    pub fn is_left(&self) -> bool {
        Instant::now() < self.until
    }

    /// Waits before the next attempt. `what` did not answer, and said this.
    pub async fn wait(&mut self, what: &str, error: impl fmt::Display) {
        if self.told.is_none() {
            self.told = Some(what.to_owned());
            warn!(%error, connect_timeout = ?self.timeout, "{what} is unavailable: waiting for it");
        }
        let left = self.until.saturating_duration_since(Instant::now());
        sleep(self.wait.min(left)).await;
        self.wait = (self.wait * 2).min(LONGEST);
    }

    /// An attempt was successful.
    pub fn done(self) {
        if let Some(what) = self.told {
            info!("{what} is available");
        }
    }
}
