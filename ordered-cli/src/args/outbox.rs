//! The command lines of the outbox and of the relay.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Subcommand};
use ordered_core::event::{Key, Seq};

use super::ViewArgs;
use super::parse::{duration, key, seq};

#[derive(Debug, Subcommand)]
pub(crate) enum Outbox {
    /// Creates the tables and functions of `ordered` that are missing; it may run any number of times
    #[command(
        after_help = "Example:\n  ordered outbox migrate --outbox postgres://orders@localhost/orders"
    )]
    Migrate(Migrate),
    /// What waits to be published and why, and which relays there are
    #[command(after_help = "Examples:\n  ordered outbox status\n  ordered outbox status --watch")]
    Status(Status),
    /// Asks the relay to publish events of a key again
    #[command(
        after_help = "Examples:\n  ordered outbox resend order-17 3..5\n  ordered outbox resend order-17 3"
    )]
    Resend(Resend),
}

/// Which database.
#[derive(Debug, Args)]
pub(crate) struct Database {
    #[arg(
        long = "outbox",
        help = "The database: postgres://user[:password]@host[:port]/database; \
                `?options=-csearch_path%3Dorders` for tables in a schema of their own",
        value_name = "URL",
        env = "ORDERED_OUTBOX",
        hide_env_values = true
    )]
    pub(crate) url: String,
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Only print the SQL, for a tool of your own
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Resend {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The seqs: `3..5` from the third to the fifth, or one alone
    #[arg(value_name = "FROM..TO", value_parser = range)]
    pub(crate) seqs: (Seq, Seq),
    /// How long to wait for the relay's answer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) wait: Duration,
    #[arg(long, value_name = "NAME", help = "Who asks [default: user@host]")]
    pub(crate) who: Option<String>,
    /// One JSON document on one line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) database: Database,
}

#[derive(Debug, Args)]
pub(crate) struct Relay {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Where to publish: amqp://user:password@host:port/vhost, amqps://…, or sqs://… with the feature `sqs`
    #[arg(
        long,
        value_name = "URL",
        env = "ORDERED_TRANSPORT",
        hide_env_values = true
    )]
    pub(crate) transport: String,
    /// The queue
    #[arg(long, value_name = "NAME", env = "ORDERED_QUEUE")]
    pub(crate) queue: String,
    #[arg(
        long,
        value_name = "NAME",
        help = "The name of this relay, which no other may have [default: from the process]"
    )]
    pub(crate) name: Option<String>,
    /// How many events are read and published together
    #[arg(long, value_name = "EVENTS", default_value_t = 2_000)]
    pub(crate) batch: usize,
    /// How long to wait before looking again when there was nothing
    #[arg(long, value_name = "DURATION", default_value = "25ms", value_parser = duration)]
    pub(crate) poll_interval: Duration,
    /// Look at once when a transaction that used `NOTIFY ordered_outbox` commits
    #[arg(long)]
    pub(crate) listen: bool,
    /// After how long without a word from this relay others take its keys
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) lease: Duration,
    /// For how many hours published events are kept, so that they can be published again; 0: forever
    #[arg(long, value_name = "HOURS", default_value_t = 168)]
    pub(crate) retention_hours: u64,
    /// How many keys may fail while the others go on
    #[arg(long, value_name = "KEYS", default_value_t = 1_000)]
    pub(crate) max_lagging_keys: usize,
    /// Serve metrics for Prometheus at this address, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<SocketAddr>,
}

fn range(text: &str) -> Result<(Seq, Seq), String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (seq(from)?, seq(to)?);
    if from.get() == 0 {
        return Err("the outbox counts from 1".into());
    }
    if to < from {
        return Err(format!("{to} lies before {from}"));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_range_has_two_ends_or_is_one_seq() {
        let numbers = |text| range(text).map(|(from, to)| (from.get(), to.get()));
        assert_eq!(numbers("3..5"), Ok((3, 5)));
        assert_eq!(numbers("7"), Ok((7, 7)));
        for wrong in ["", "..", "5..3", "0..2", "a..b", "1..=2"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }
}
