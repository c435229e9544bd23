//! The command line.

#[cfg(feature = "postgres")]
pub(crate) mod outbox;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ordered_core::event::{Key, Seq};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused, or there is no such group, key or event, and nothing was changed; `verify`: a promise was broken
  2  the command line cannot be used like this
  3  the store cannot be reached; whether a verb was done is then not known
  4  the store refuses: the password, the address, or another version of `ordered`
  5  the output cannot be written, or an input file cannot be read
  6  a worker has the key and did not hand it over in time; nothing was changed

Examples:
  export ORDERED_STORE=redis://127.0.0.1:6379 ORDERED_GROUP=orders
  ordered status --watch
  ordered keys --stuck
  ordered explain order-17
  ordered retry order-17 --why 'the price list is there again'";

/// Shows what the keys of a group do and why, and lets an operator do something about it.
///
/// Works on the store that the workers share, and needs nothing from the workers themselves.
#[derive(Debug, Parser)]
#[command(name = "ordered", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where to look.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct Target {
    // In `help`, because rustdoc takes brackets in a doc comment for links.
    #[arg(
        long,
        help = "The store: redis://[user:password@]host[:port][/db], rediss://… with TLS, redis+unix:///path, or \
                redis+sentinel://[user:password@]host:port,host:port/master[/db]",
        global = true,
        value_name = "URL",
        env = "ORDERED_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// The group; not needed where the store has only one
    #[arg(long, global = true, value_name = "NAME", env = "ORDERED_GROUP")]
    pub(crate) group: Option<String>,
    /// What the names in Redis begin with, as in the builder of the workers' store
    #[arg(long, global = true, env = "ORDERED_PREFIX", default_value = "ordered")]
    pub(crate) prefix: String,
    /// The store is a Redis Cluster; its URL may then be several, with commas between
    #[cfg(feature = "cluster")]
    #[arg(long, global = true)]
    pub(crate) cluster: bool,
    /// How many seconds to wait for the store
    #[arg(long, global = true, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Each group as a whole: keys by what they do, the oldest gap, what is held, dead letters, workers
    #[command(
        after_help = "Examples:\n  ordered status\n  ordered status --watch\n  ordered status --json --group orders"
    )]
    Status(Viewing),
    /// The keys and what each of them does
    #[command(
        after_help = "Examples:\n  ordered keys --stuck\n  ordered keys --stuck --json --limit 100"
    )]
    Keys(Keys),
    /// The events of a key that wait
    #[command(after_help = "Examples:\n  ordered held order-17\n  ordered held order-17 --watch 5")]
    Held(OfKey),
    /// The dead letters, of one key or of all
    #[command(after_help = "Examples:\n  ordered dead\n  ordered dead order-17 --json")]
    Dead(OfKeys),
    /// The workers, their leases and versions
    #[command(after_help = "Example:\n  ordered workers --watch")]
    Workers(Viewing),
    /// What operators did, newest first
    #[command(after_help = "Example:\n  ordered audit --limit 100")]
    Audit(Audit),
    /// Why a key does what it does, what will happen by itself, and what you can do
    #[command(
        after_help = "Examples:\n  ordered explain order-17\n  ordered explain order-17 --json"
    )]
    Explain(OfKey),
    /// Lets a key that is halted or backs off try its failed event again now, with all its attempts
    #[command(after_help = "Example:\n  ordered retry order-17 --dry-run")]
    Retry(Retry),
    /// Passes over what stands in the way of a key: the event that failed, or the gap. What is held of it becomes a dead letter,
    /// and can be replayed
    #[command(
        after_help = "Examples:\n  ordered skip order-17 --dry-run\n  ordered skip order-17 --to 44 --yes"
    )]
    Skip(Skip),
    /// Takes a held event out and makes it a dead letter; or deletes a dead letter permanently
    #[command(after_help = "Example:\n  ordered discard order-17 42 --why 'a test order'")]
    Discard(Discard),
    /// Gives an event that waits, or a dead letter, another body
    #[command(
        after_help = "Examples:\n  ordered edit order-17 42 --payload fixed.json\n  jq .payload.price=3 old.json | ordered edit order-17 42 --payload - --yes"
    )]
    Edit(Edit),
    /// Says which seq of a key was the last. Downwards the numbering begins again, and events that were handled are
    /// handled again if they are sent again
    #[command(
        after_help = "Example:\n  ordered set-last order-17 1200 --why 'moved from the old system'"
    )]
    SetLast(SetLast),
    /// Runs nothing more of a key, or of the whole group, until it is resumed; a handler that runs finishes its event
    #[command(after_help = "Examples:\n  ordered pause order-17\n  ordered pause --group orders")]
    Pause(Pause),
    /// Ends a pause of a key, or of the whole group
    #[command(after_help = "Examples:\n  ordered resume order-17\n  ordered resume --group orders")]
    Resume(Pause),
    /// Runs dead letters again, in order, before what comes next: of one key, or of all
    #[command(
        after_help = "Examples:\n  ordered replay order-17 --seq 42\n  ordered replay --dry-run"
    )]
    Replay(Replay),
    /// Writes what is held and the dead letters, whole, as NDJSON: one event a line
    #[command(after_help = "Example:\n  ordered export order-17 > order-17.ndjson")]
    Export(Export),
    /// Holds a history of a run (NDJSON, as the testkit writes it) against the promises: a line for each that is broken
    #[command(after_help = "Example:\n  ordered verify history.ndjson")]
    Verify(Verify),
    /// The outbox in Postgres: its tables, how far it is relayed, and events to be published again
    #[cfg(feature = "postgres")]
    #[command(
        subcommand,
        after_help = "Example:\n  ordered outbox status --outbox postgres://orders@localhost/orders"
    )]
    Outbox(outbox::Outbox),
    /// Publishes what is committed in an outbox, in order per key, until it is stopped; several share the work
    #[cfg(feature = "postgres")]
    #[command(
        after_help = "Example:\n  ordered relay --outbox postgres://orders@localhost/orders --transport amqp://localhost/%2f --queue order-events"
    )]
    Relay(Box<outbox::Relay>),
}

/// How to show something.
#[derive(Debug, Args)]
pub(crate) struct Viewing {
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
    pub(crate) viewing: Viewing,
}

#[derive(Debug, Args)]
pub(crate) struct OfKey {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) viewing: Viewing,
}

#[derive(Debug, Args)]
pub(crate) struct OfKeys {
    /// The key; all that have some where it is left out
    #[arg(value_parser = key)]
    pub(crate) key: Option<Key>,
    #[command(flatten)]
    pub(crate) viewing: Viewing,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Not more than so many
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) viewing: Viewing,
}

/// How to do something.
#[derive(Debug, Args)]
pub(crate) struct Acting {
    /// Say what it would do, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Take the key away from its worker: its handler is not stopped, what it did cannot be committed, and the event runs
    /// again
    #[arg(long)]
    pub(crate) force: bool,
    /// How long to wait for the worker of the key to hand it over, which it does at the end of the event at work: `500ms`,
    /// `30s`, `5m`
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) wait: Duration,
    #[arg(
        long,
        value_name = "NAME",
        help = "Who does it, for the audit log [default: user@host]"
    )]
    pub(crate) who: Option<String>,
    /// Why, for the audit log
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) why: String,
    /// One JSON document on one line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

#[derive(Debug, Args)]
pub(crate) struct Skip {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The last seq to pass over [default: the event that failed, or the whole gap]
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(crate) to: Option<Seq>,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

#[derive(Debug, Args)]
pub(crate) struct Discard {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The event
    #[arg(value_parser = seq)]
    pub(crate) seq: Seq,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The event
    #[arg(value_parser = seq)]
    pub(crate) seq: Seq,
    /// The file with the new body; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) payload: PathBuf,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

#[derive(Debug, Args)]
pub(crate) struct SetLast {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The last seq; 0 for none
    #[arg(value_parser = clap::value_parser!(u64).range(0..=MAX_SEQ))]
    pub(crate) last: u64,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

const MAX_SEQ: u64 = (1 << 53) - 1;

#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// The key; the whole group where it is left out
    #[arg(value_parser = key)]
    pub(crate) key: Option<Key>,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The key; all that have some where it is left out
    #[arg(value_parser = key)]
    pub(crate) key: Option<Key>,
    /// Only this event
    #[arg(long, value_name = "SEQ", value_parser = seq, requires = "key")]
    pub(crate) seq: Option<Seq>,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The key; all that have something where it is left out
    #[arg(value_parser = key)]
    pub(crate) key: Option<Key>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The file; `-` is the standard input
    pub(crate) history: PathBuf,
    /// How many events of a key the handler took together
    #[arg(long, value_name = "EVENTS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch: u64,
    /// How many events of a key could be done and not committed yet when the next one began
    #[arg(long, value_name = "EVENTS", default_value_t = 0)]
    pub(crate) commit_window: u64,
    /// One JSON document on one line
    #[arg(long)]
    pub(crate) json: bool,
}

fn key(text: &str) -> Result<Key, String> {
    Key::new(text).map_err(|error| error.to_string())
}

fn seq(text: &str) -> Result<Seq, String> {
    let number = text
        .parse()
        .map_err(|_| "a seq is a whole number".to_owned())?;
    Seq::new(number).map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    seconds
        .filter(|seconds| (0.01..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "seconds are a number from 0.01 to 86400".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DURATION.into()),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(millis))
        .filter(|millis| *millis <= 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(|| DURATION.into())
}

const DURATION: &str =
    "a duration is a whole number with ms, s, m or h behind it, at most 24h, such as 30s";

#[cfg(test)]
mod tests;
