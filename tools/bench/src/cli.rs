use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures `ordered` beside a bare consumer and the recipe that people write by hand, on servers of its own.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Only these loads, by name; all that is listed otherwise
    #[arg(long, num_args = 1.., value_name = "LOAD")]
    pub(crate) only: Vec<String>,
    /// How often each subject runs
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// About how long one trial is
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// How many events one trial has, in place of --seconds
    #[arg(long)]
    pub(crate) events: Option<usize>,
    /// How many events a second the paced loads send, in place of half of what the framework took
    #[arg(long, value_name = "EVENTS")]
    pub(crate) rate: Option<f64>,
    /// Where the figures go
    #[arg(long, default_value = "target/bench/results.json", value_name = "FILE")]
    pub(crate) json: PathBuf,
    /// Where the charts go
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// An earlier build of this program: its framework takes part in the same run, under the name `earlier`
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) earlier: Option<PathBuf>,
    /// Shows the loads, and measures nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// One round of a few thousand events each: shows that all works, and measures nothing worth keeping
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many buckets the store has, in place of its default
    #[arg(long, default_value_t = ordered_events::RedisStore::BUCKETS)]
    pub(crate) buckets: u32,
    /// What the random choices are made of
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// One subject, as the runner starts it
    #[command(hide = true)]
    Subject {
        /// What to do, as JSON
        job: String,
    },
    /// What staging costs beside a bare insert, and how fast the relay is, in place of everything else
    Outbox(OutboxOptions),
    /// What a handler with a `Tx` costs beside the same one with its own transaction, in place of everything else
    Inbox(InboxOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct InboxOptions {
    /// How often each runs
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How many events one trial has
    #[arg(long, default_value_t = 10_000)]
    pub(crate) events: usize,
    /// How many keys the events have
    #[arg(long, default_value_t = 1_000)]
    pub(crate) keys: usize,
    /// How many handlers run at a time, each with a connection
    #[arg(long, default_value_t = 8)]
    pub(crate) concurrency: usize,
    /// One short round: shows that all works, and measures nothing worth keeping
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct OutboxOptions {
    /// How often each runs
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How many events one trial has; fewer where each is a transaction of its own
    #[arg(long, default_value_t = 100_000)]
    pub(crate) events: usize,
    /// How many relayed events lie in the table already
    #[arg(long, default_value_t = 0)]
    pub(crate) rows: usize,
    /// How many keys the events have
    #[arg(long, default_value_t = 1_000)]
    pub(crate) keys: usize,
    /// One short round: shows that all works, and measures nothing worth keeping
    #[arg(long)]
    pub(crate) quick: bool,
}

impl Options {
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    /// How many events a trial has at this many a second.
    pub(crate) fn events(&self, rate: f64) -> usize {
        if let Some(events) = self.events {
            return events.max(1);
        }
        let seconds = if self.quick { 0.1 } else { self.seconds };
        whole(rate * seconds).max(1)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and numbers of events are small"
)]
pub(crate) fn whole(number: f64) -> usize {
    number as usize
}
