//! Time. Wall clocks are read here and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::protocol::Millis;

/// A wall clock that a test can replace.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
    Tokio { epoch: tokio::time::Instant },
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until it is [advanced](Clock::advance). Clones share the time.
    #[must_use]
    pub fn manual(start: Millis) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start))))
    }

    /// A clock that begins at one second and goes on with tokio's time, which a test can pause.
    #[must_use]
    pub fn tokio() -> Self {
        Self(Source::Tokio {
            epoch: tokio::time::Instant::now(),
        })
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Source::System => wall_clock(),
            Source::Manual(now) => now.load(Ordering::SeqCst),
            Source::Tokio { epoch } => {
                1_000 + u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
            }
        }
    }

    /// Moves a manual clock on; the others move by themselves.
    pub fn advance(&self, by: Millis) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// Moves a manual clock back, as an operator or a time server does; the others do not move.
    pub fn step_back(&self, by: Millis) {
        if let Source::Manual(now) = &self.0 {
            let back = |now: Millis| Some(now.saturating_sub(by));
            let _ = now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, back);
        }
    }
}

/// The machine's time in milliseconds since the Unix epoch, for what a person reads. Never to decide anything that
/// another machine decides too.
#[doc(hidden)]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall_clock() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
