use std::fmt;
use std::time::Duration;

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerPhase {
    /// It was built, and does not consume yet.
    Starting,
    /// It consumes.
    Running,
    /// It was asked to stop, and finishes what it has begun.
    Draining,
    /// It has ended: with an error, or because it was asked to.
    Ended {
        /// Why, where it was not asked to.
        error: Option<String>,
    },
}

/// Why a worker is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReadyReason {
    /// It does not consume yet.
    Starting,
    /// It does not consume any more.
    Draining,
    /// It has ended.
    Ended {
        /// Why, where it was not asked to.
        error: Option<String>,
    },
    /// The store does not answer: nothing is acknowledged.
    StoreUnavailable {
        /// For how long.
        lasts: Duration,
        /// What it said last.
        error: String,
    },
    /// The worker's lease is over: no handler starts.
    NoLease,
    /// The broker is unavailable: nothing comes.
    BrokerUnavailable {
        /// For how long.
        lasts: Duration,
        /// What it said last.
        error: String,
    },
    /// The worker's loop stands still: the runtime is blocked, or the worker is broken.
    Stuck {
        /// For how long.
        lasts: Duration,
    },
}

/// How a worker is at a moment. Its text has a line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthReport {
    /// The group.
    pub group: String,
    /// The worker.
    pub worker: String,
    /// What it is doing.
    pub phase: WorkerPhase,
    /// Why it is not ready; empty if it is.
    pub not_ready: Vec<NotReadyReason>,
    /// For how long it has had events and committed none, where that is so. It is ready all the same: the events may
    /// wait for others that do not come, or their handler may fail.
    pub without_commit: Option<Duration>,
    pub(super) is_live: bool,
}

impl HealthReport {
    /// Whether the worker consumes, and nothing that it knows of keeps events from being committed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.not_ready.is_empty()
    }

    /// Whether the worker goes on by itself. It does not once it has ended, or when its loop has stood still for four
    /// leases; then the process should be started again. A store or a broker that is unavailable is no reason for that.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.is_live
    }
}

impl fmt::Display for HealthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, worker, .. } = self;
        write!(f, "group {group}, worker {worker}: ")?;
        if self.is_ready() {
            f.write_str("consuming")?;
        }
        for (place, reason) in self.not_ready.iter().enumerate() {
            let separator = if place > 0 { "; " } else { "" };
            write!(f, "{separator}{reason}")?;
        }
        if let Some(lasts) = self.without_commit {
            let seconds = lasts.as_secs();
            write!(
                f,
                "; there are events, and none was committed for {seconds} s"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for NotReadyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("it does not consume yet"),
            Self::Draining => f.write_str("it drains"),
            Self::Ended { error: None } => f.write_str("it has ended"),
            Self::Ended { error: Some(error) } => write!(f, "it has ended: {error}"),
            Self::StoreUnavailable { lasts, error } => {
                let seconds = lasts.as_secs();
                write!(f, "the store is unavailable for {seconds} s: {error}")
            }
            Self::NoLease => f.write_str("its lease is over"),
            Self::BrokerUnavailable { lasts, error } => {
                let seconds = lasts.as_secs();
                write!(f, "the broker is unavailable for {seconds} s: {error}")
            }
            Self::Stuck { lasts } => {
                let seconds = lasts.as_secs();
                write!(f, "its loop stands still for {seconds} s")
            }
        }
    }
}
