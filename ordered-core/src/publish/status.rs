use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::metrics;
use crate::transport::TransportErrorKind;

/// How a [`Publisher`](super::Publisher) is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStatus {
    /// How many events are with it, neither confirmed nor reported.
    pub in_flight: usize,
    /// Why nothing gets through at the moment, if nothing does.
    pub blocked: Option<PublisherBlocked>,
}

/// Why a broker takes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherBlocked {
    /// Whether the broker is there, and says that it takes nothing: a full queue, flow control, throttling.
    pub is_back_pressure: bool,
    /// For how long.
    pub lasts: Duration,
    /// What it says.
    pub why: String,
}

/// Whether anything gets through.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<Blockage>>);

#[derive(Debug)]
struct Blockage {
    since: Instant,
    is_back_pressure: bool,
    why: String,
}

impl Progress {
    // A std mutex: held for a few accesses, and never over an await.
    fn lock(&self) -> MutexGuard<'_, Option<Blockage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was confirmed.
    pub(super) fn goes_on(&self, now: Instant) {
        if let Some(blockage) = self.lock().take() {
            let lasted = now.saturating_duration_since(blockage.since);
            metrics::blocked(false);
            tracing::info!("events are published again, after {lasted:?}");
        }
    }

    /// Nothing of an attempt was confirmed.
    pub(super) fn stands_still(&self, kind: TransportErrorKind, why: &str, now: Instant) {
        let is_back_pressure = kind == TransportErrorKind::Busy;
        let mut blockage = self.lock();
        if let Some(blockage) = blockage.as_mut() {
            blockage.is_back_pressure = is_back_pressure;
            why.clone_into(&mut blockage.why);
            return;
        }
        *blockage = Some(Blockage {
            since: now,
            is_back_pressure,
            why: why.to_owned(),
        });
        metrics::blocked(true);
        tracing::warn!(
            error = why,
            back_pressure = is_back_pressure,
            "events cannot be published; trying again"
        );
    }

    pub(super) fn blocked(&self) -> Option<PublisherBlocked> {
        self.lock().as_ref().map(|blockage| PublisherBlocked {
            is_back_pressure: blockage.is_back_pressure,
            lasts: blockage.since.elapsed(),
            why: blockage.why.clone(),
        })
    }
}

/// A publisher that ends in the middle of it is not counted any longer.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.lock().is_some() {
            metrics::blocked(false);
        }
    }
}
