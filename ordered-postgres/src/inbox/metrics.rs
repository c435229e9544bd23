//! What the inbox counts and measures. No label names a key, a seq or an event.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::guard::Outcome;

const RUNS: &str = "ordered_inbox_runs_total";
const BEGIN_SECONDS: &str = "ordered_inbox_begin_seconds";
const COMMIT_SECONDS: &str = "ordered_inbox_commit_seconds";

/// How the transaction of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its changes and the record of its events are committed.
    Recorded,
    /// It was recorded before; what the handler did again is rolled back.
    DoneBefore,
    /// Another worker has the key.
    Fenced,
    /// It does not follow what is recorded.
    NotNext,
    /// Another event is recorded under its seq.
    Conflict,
    /// The handler failed, panicked or outlived its timeout, or the lease had ended.
    RolledBack,
    /// The database failed.
    Failed,
}

impl Ended {
    const ALL: [Self; 7] = [
        Self::Recorded,
        Self::DoneBefore,
        Self::Fenced,
        Self::NotNext,
        Self::Conflict,
        Self::RolledBack,
        Self::Failed,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::DoneBefore => "done_before",
            Self::Fenced => "fenced",
            Self::NotNext => "not_next",
            Self::Conflict => "conflict",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
        }
    }
}

impl From<&Outcome> for Ended {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Recorded => Self::Recorded,
            Outcome::DoneAlready { .. } => Self::DoneBefore,
            Outcome::Fenced { .. } => Self::Fenced,
            Outcome::NotNext { .. } => Self::NotNext,
            Outcome::Conflict { .. } => Self::Conflict,
        }
    }
}

/// Says what they mean, and shows all outcomes from the beginning, so that a first one can be alerted on.
pub(super) fn describe() {
    describe_counter!(
        RUNS,
        Unit::Count,
        "Runs of handlers with a transaction of the inbox, by how the transaction ended."
    );
    describe_histogram!(
        BEGIN_SECONDS,
        Unit::Seconds,
        "How long handlers waited for a connection of the pool and the begin of their transaction."
    );
    describe_histogram!(
        COMMIT_SECONDS,
        Unit::Seconds,
        "How long it took to record a run and to commit it."
    );
    for ended in Ended::ALL {
        counter!(RUNS, "outcome" => ended.as_str()).increment(0);
    }
}

pub(super) fn ended(how: Ended) {
    counter!(RUNS, "outcome" => how.as_str()).increment(1);
}

pub(super) fn began(took: Duration) {
    histogram!(BEGIN_SECONDS).record(took.as_secs_f64());
}

pub(super) fn committed(took: Duration) {
    histogram!(COMMIT_SECONDS).record(took.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_explains_every_metric_and_every_outcome() {
        let guide = include_str!("../../../docs/exactly-once-effects.md");
        for name in [RUNS, BEGIN_SECONDS, COMMIT_SECONDS] {
            assert!(guide.contains(name), "{name}");
        }
        for ended in Ended::ALL {
            let word = format!("`{}`", ended.as_str());
            assert!(guide.contains(&word), "{word}");
        }
    }
}
