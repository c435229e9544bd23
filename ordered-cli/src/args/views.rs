use std::time::Duration;

use clap::Args;
use ordered_core::event::{Key, Seq};

use super::broker::BrokerArgs;
use super::parse::{key, seconds, seq};

/// How to show something.
#[derive(Debug, Args)]
pub(crate) struct ViewArgs {
    /// One JSON document on one line; with --watch one line each time
    #[arg(long)]
    pub(crate) json: bool,
    /// Show it again and again, every so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    pub(crate) watch: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Only those that do not go on by themselves: halted, paused, backing off, in a gap, or with dead letters
    #[arg(long)]
    pub(crate) stuck: bool,
    /// Not more than so many
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OfKey {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// What stands before this event of it
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(crate) seq: Option<Seq>,
    /// The database of the outbox: what it was asked for of the key, and what its relay answered
    #[cfg(feature = "postgres")]
    #[arg(
        long,
        value_name = "URL",
        env = "ORDERED_OUTBOX",
        hide_env_values = true
    )]
    pub(crate) outbox: Option<String>,
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Errors {
    /// Only of keys that look like this: `*` stands for any letters, `?` for one
    #[arg(long, value_name = "PATTERN")]
    pub(crate) key: Option<String>,
    /// Not more causes than so many, the most frequent
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The event
    #[arg(value_parser = seq)]
    pub(crate) seq: Seq,
    /// Nothing but the body, as it is
    #[arg(long, conflicts_with = "json")]
    pub(crate) body: bool,
    /// One JSON document on one line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Not more than so many
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}
