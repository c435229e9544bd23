use clap::ValueEnum;
use ordered_events::Order;
use ordered_testkit::history::{Commits, Rules};
use serde::{Deserialize, Serialize};

/// How many events of a key a worker takes before the first of them is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Pace {
    /// One: an event, its commit, the next event.
    #[default]
    Strict,
    /// The next may start while the commits of so many are on their way.
    Window,
    /// The handler takes so many together.
    Batch,
}

/// How many, where it is more than one; the handler's `batch` says the same.
pub(crate) const AHEAD: u32 = 10;

impl Pace {
    /// What its history is held against.
    pub(crate) fn rules(self, order: Order) -> Rules {
        let (commit_window, batch) = match self {
            Self::Strict => (0, 1),
            Self::Window => (AHEAD, 1),
            Self::Batch => (0, AHEAD),
        };
        Rules {
            order,
            commits: Commits::Reported,
            commit_window: commit_window.into(),
            batch: batch.into(),
        }
    }
}
