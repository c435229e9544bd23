use std::time::Duration;

use tokio::sync::Semaphore;

use super::BuildError;
use crate::handler::HandlerOptions;

/// More is a slip: for so long nobody would notice a crashed worker.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How one worker process works. Every setting has a method of its name on the builder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How many handlers run at a time. Default 64.
    pub concurrency: usize,
    /// How many deliveries the worker may have from the broker and not settled yet. Default 8 times `concurrency`; with
    /// a `batch` or a `commit_window` at least twice what a lane takes (`lane_depth`).
    pub read_ahead: usize,
    /// How long the worker's claims stay good after a sign of life; after a crash its keys go on elsewhere within this
    /// time and one sweep. Default 15 seconds.
    pub lease: Duration,
    /// How often the worker gives a sign of life. Default 2 seconds.
    pub heartbeat: Duration,
    /// How often the worker looks for keys that nobody runs. Default 1 second.
    pub sweep_interval: Duration,
    /// How many keys the worker runs at a time; it takes over no more than that. Default 1,024.
    pub max_lanes: usize,
    /// How many keys one sweep takes over at the most. Default 256.
    pub sweep_limit: usize,
    /// How long handlers may still run after the shutdown was asked for. Default 30 seconds.
    pub drain_timeout: Duration,
    /// How large the body of an event may be to be run. A larger one keeps its place: its key waits at it as at an
    /// event that cannot be read. Default 1 MiB.
    pub max_body_bytes: usize,
    /// How large a body above `max_body_bytes` may be that is kept whole, and waits for a worker with a larger
    /// `max_body_bytes`. Of a larger one the store has an excerpt, its key halts, and the whole is dead-lettered at the
    /// broker. Default 16 MiB; never less than `max_body_bytes`.
    pub max_kept_bytes: usize,
    /// How long an event stays with the broker when there is no room to hold it. Default 5 seconds.
    pub defer: Duration,
    /// How long events of a key may wait in the worker for room in the key's lane (`lane_depth`), before they are held
    /// in the store, where they take nothing of `read_ahead`; up to half as long again, because only every half of it
    /// is looked, and longer while the broker delivers nothing but more of them. Zero: not at all. Default 1 second.
    pub hold_after: Duration,
    /// At how many first attempts in a row the worker looks: once nine of ten failed for the same cause, on several
    /// keys, it starts one run at a time until one succeeds. So an unavailable database does not use up the attempts of
    /// every key. Zero: it never does. Default 20.
    pub breaker_runs: usize,
    /// The longest wait between two starts meanwhile; the first is 10 ms, and it doubles from start to start. Default
    /// 1 second.
    pub breaker_wait: Duration,
    /// How many commands go to the store in one batch. Default 1024.
    pub batch_commands: usize,
    /// How many bytes of payload go to the store in one batch; one command always goes. Default 4 MiB.
    pub batch_bytes: u64,
    /// How long the store and the broker are waited for at start, while they are unavailable. What they refuse is an
    /// error at once. Zero: not at all. Default 30 seconds.
    pub connect_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            read_ahead: 0,
            lease: Duration::from_secs(15),
            heartbeat: Duration::from_secs(2),
            sweep_interval: Duration::from_secs(1),
            max_lanes: 1024,
            sweep_limit: 256,
            drain_timeout: Duration::from_secs(30),
            max_body_bytes: 1 << 20,
            max_kept_bytes: 16 << 20,
            defer: Duration::from_secs(5),
            hold_after: Duration::from_secs(1),
            breaker_runs: 20,
            breaker_wait: Duration::from_secs(1),
            batch_commands: 1024,
            batch_bytes: 4 << 20,
            connect_timeout: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// The time between two signs of life for this lease.
    pub(super) fn heartbeat_of(lease: Duration) -> Duration {
        (lease / 6).clamp(Duration::from_millis(50), Duration::from_secs(10))
    }

    pub(super) fn validated(mut self, options: &HandlerOptions) -> Result<Self, BuildError> {
        let positive = [
            ("concurrency", self.concurrency),
            ("max_lanes", self.max_lanes),
            ("sweep_limit", self.sweep_limit),
            ("max_body_bytes", self.max_body_bytes),
            ("batch_commands", self.batch_commands),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(BuildError::setting(name, "must be at least 1"));
        }
        let bounded = [
            ("lease", self.lease),
            ("heartbeat", self.heartbeat),
            ("sweep_interval", self.sweep_interval),
            ("hold_after", self.hold_after),
            ("breaker_wait", self.breaker_wait),
            ("connect_timeout", self.connect_timeout),
        ];
        if let Some((name, _)) = bounded.into_iter().find(|(_, value)| *value > A_DAY) {
            return Err(BuildError::setting(name, "must be at most a day"));
        }
        if self.heartbeat.is_zero() || self.heartbeat * 3 > self.lease {
            return Err(BuildError::setting(
                "lease",
                format!(
                    "is {:?}, and must be at least three times `heartbeat` ({:?})",
                    self.lease, self.heartbeat
                ),
            ));
        }
        if self.sweep_interval.is_zero() {
            return Err(BuildError::setting(
                "sweep_interval",
                "must be more than nothing",
            ));
        }
        self.max_kept_bytes = self.max_kept_bytes.max(self.max_body_bytes);
        if self.read_ahead == 0 {
            self.read_ahead = self.concurrency.saturating_mul(8);
            if options.runs_ahead() {
                let lanes = (options.policy.lane_depth as usize).saturating_mul(2);
                self.read_ahead = self.read_ahead.max(lanes);
            }
        }
        self.read_ahead = self.read_ahead.min(Semaphore::MAX_PERMITS);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_ahead(concurrency: usize, change: impl FnOnce(&mut HandlerOptions)) -> usize {
        let mut options = HandlerOptions::new("test");
        change(&mut options);
        let settings = Settings {
            concurrency,
            ..Settings::default()
        };
        settings.validated(&options).unwrap().read_ahead
    }

    #[test]
    fn the_broker_may_hand_over_two_lanes_of_what_runs_ahead() {
        assert_eq!(read_ahead(2, |_| {}), 16);
        assert_eq!(read_ahead(2, |options| options.set_batch(100)), 400);
        assert_eq!(read_ahead(2, |options| options.set_commit_window(50)), 200);
        assert_eq!(read_ahead(64, |options| options.set_batch(100)), 512);
    }
}
