use std::time::Duration;

use crate::protocol::Policy;

/// How a handler's events are treated. The macro's options and the worker builder's settings end up here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerOptions {
    /// The group: the name under which the store keeps the progress.
    pub group: String,
    /// How long one run of the handler may take before it is cancelled and counted as a failed attempt.
    /// Default 30 seconds.
    pub timeout: Duration,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// The longest wait that a worker sits out itself; for a longer one, or when half of its handler slots' worth of keys
    /// wait already, the event goes back to the store meanwhile. Default 250 ms.
    pub lane_backoff: Duration,
    /// What becomes of an event that failed for good. Default: its key is halted.
    ///
    /// An event that used up its attempts because the workers that ran it died halts its key whatever is said here: no
    /// worker is there to hand it over, and the store, which may not have it, cannot put aside what it does not have.
    pub on_exhausted: OnExhausted,
    /// What becomes of an event that comes after its seq was passed over. Default: it is dead-lettered.
    pub on_late: OnLate,
    /// The rules of the group: attempts, deduplication, quotas.
    pub policy: Policy,
}

/// What becomes of an event that used up its attempts, or failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExhausted {
    /// Its key stops here, and later events wait behind it until an operator decides.
    #[default]
    Halt,
    /// The store puts it aside, and the key goes on with the next; unless it used up its attempts by killing its workers.
    DeadLetter,
}

/// What becomes of an event that comes after its seq was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLate {
    /// It is dead-lettered at the broker.
    #[default]
    DeadLetter,
    /// It is dropped.
    Drop,
}

/// Exponential backoff with full jitter: before attempt n+1 a random time up to `base × 2^(n-1)`, at most `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first wait. Default 100 ms.
    pub base: Duration,
    /// The bound of every wait. Default 10 seconds.
    pub cap: Duration,
}

impl HandlerOptions {
    /// The defaults, for this group.
    #[must_use]
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            timeout: Duration::from_secs(30),
            backoff: Backoff::default(),
            lane_backoff: Duration::from_millis(250),
            on_exhausted: OnExhausted::default(),
            on_late: OnLate::default(),
            policy: Policy::default(),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// The longest wait after the attempt with this number, from 1.
    #[must_use]
    pub fn bound(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// A wait after the attempt with this number: between nothing and the [bound](Backoff::bound).
    #[must_use]
    pub fn wait(&self, attempt: u32, random: &mut fastrand::Rng) -> Duration {
        self.bound(attempt).mul_f64(random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_cap() {
        let backoff = Backoff {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(1),
        };
        let bounds = [1, 2, 3, 4, 5, 1000].map(|attempt| backoff.bound(attempt).as_millis());
        assert_eq!(bounds, [100, 200, 400, 800, 1000, 1000]);
    }
}
