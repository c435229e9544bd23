//! The command line.

mod broker;
mod files;
#[cfg(feature = "postgres")]
pub(crate) mod outbox;
mod parse;
mod selection;
mod verbs;
mod views;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub(crate) use broker::{BrokerArgs, Dead, LetterFilter, Queues, Redrive, Status};
pub(crate) use files::{Completions, Export, Import, Verify};
pub(crate) use parse::{LastSeq, key, seq};
pub(crate) use selection::SelectionArgs;
pub(crate) use verbs::{Discard, Edit, Pause, Replay, Resume, Retry, SetLast, Skip, VerbArgs};
pub(crate) use views::{Audit, Errors, Explain, Keys, OfKey, Show, ViewArgs};

use parse::seconds;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused, or there is no such group, key or event, and nothing was changed; `verify`: a promise was broken
  2  the command line cannot be used like this
  3  the store cannot be reached; whether a verb was done is then not known
  4  the store refuses: the password, the address, or another version of `ordered`
  5  the output cannot be written, or an input file cannot be read
  6  a worker has the key and did not hand it over in time; nothing was changed
  130  interrupted; what was done stays done, and repeating it is harmless

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
        after_help = "Examples:\n  ordered status\n  ordered status --watch\n  ordered status --json --group \
                      orders\n  ordered status --transport amqp://localhost --queue order-events"
    )]
    Status(Status),
    /// The keys and what each of them does
    #[command(
        after_help = "Examples:\n  ordered keys --stuck\n  ordered keys --stuck --json --limit 100"
    )]
    Keys(Keys),
    /// The events of a key that wait
    #[command(after_help = "Examples:\n  ordered held order-17\n  ordered held order-17 --watch 5")]
    Held(OfKey),
    /// The dead letters of the store, of one key or of all; with --transport those of the broker
    #[command(
        after_help = "Examples:\n  ordered dead\n  ordered dead order-17 --json\n  ordered dead --transport \
                      amqp://localhost --queue order-events\n  ordered dead --transport sqs://order-events --reason \
                      malformed --export > dead.ndjson"
    )]
    Dead(Dead),
    /// Why events failed: those that halt their keys, back off, or are dead letters, by cause
    #[command(after_help = "Examples:\n  ordered errors\n  ordered errors --key 'order-*' --json")]
    Errors(Errors),
    /// One event that waits, or one dead letter, whole: headers and body
    #[command(
        after_help = "Examples:\n  ordered show order-17 42\n  ordered show order-17 42 --body > event.json"
    )]
    Show(Show),
    /// The workers, their leases and versions
    #[command(after_help = "Example:\n  ordered workers --watch")]
    Workers(ViewArgs),
    /// What operators did, newest first
    #[command(after_help = "Example:\n  ordered audit --limit 100")]
    Audit(Audit),
    /// Why a key does what it does, what will happen by itself, and what you can do
    #[command(
        after_help = "Examples:\n  ordered explain order-17\n  ordered explain order-17 --seq 60\n  ordered explain \
                      order-17 --json\n  ordered explain order-17 --transport amqp://localhost --queue order-events"
    )]
    Explain(Explain),
    /// Lets keys that are halted or back off try their failed events again now, with all their attempts
    #[command(
        after_help = "Examples:\n  ordered retry order-17 --dry-run\n  ordered retry --error 'no price' --older-than \
                      10m\n  ordered retry --all --limit 100 --yes"
    )]
    Retry(Retry),
    /// Passes over what stands in the way of keys: the event that failed, or the gap. What is held of it becomes a dead
    /// letter, and can be replayed
    #[command(
        after_help = "Examples:\n  ordered skip order-17 --dry-run\n  ordered skip order-17 --to 44 --yes\n  ordered \
                      skip --gap --older-than 1h"
    )]
    Skip(Skip),
    /// Takes a held event out and makes it a dead letter; or deletes dead letters permanently
    #[command(
        after_help = "Examples:\n  ordered discard order-17 42 --why 'a test order'\n  ordered discard --dead order-17 \
                      order-18\n  ordered discard --error 'not in the catalogue' --older-than 7d"
    )]
    Discard(Discard),
    /// Gives an event that waits, or a dead letter, another body
    #[command(
        after_help = "Examples:\n  ordered edit order-17 42 --editor\n  ordered edit order-17 42 --payload \
                      fixed.json\n  jq .payload.price=3 old.json | ordered edit order-17 42 --payload - --yes"
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
    /// Ends the pause of keys, or of the whole group
    #[command(
        after_help = "Examples:\n  ordered resume order-17 order-18\n  ordered resume --all\n  ordered resume --group \
                      orders"
    )]
    Resume(Resume),
    /// Runs dead letters again, in order, before what comes next: of some keys, or of all
    #[command(
        after_help = "Examples:\n  ordered replay order-17 --seq 42\n  ordered replay --error 'no price' \
                      --dry-run\n  ordered replay --all"
    )]
    Replay(Replay),
    /// Puts dead letters of the broker back into the queue that they came from
    #[command(
        after_help = "Examples:\n  ordered redrive --transport amqp://localhost --queue order-events --reason \
                      malformed --dry-run\n  ordered redrive --transport sqs://order-events --key order-17 --yes"
    )]
    Redrive(Redrive),
    /// The queues of RabbitMQ that the workers consume: each partition, what waits in it, and how many consumers it has
    #[command(
        after_help = "Examples:\n  ordered queues --transport amqp://localhost --queue order-events\n  ordered queues \
                      --transport amqp://localhost --queue order-events --watch"
    )]
    Queues(Queues),
    /// Sets how far keys are, as another system has them. Only upwards: a key that is further stays as it is
    #[command(
        after_help = "Examples:\n  ordered import positions.tsv --dry-run\n  ordered export --positions --group old | \
                      ordered import - --group new --yes\n  ordered import --from-postgres postgres://localhost/shop \
                      --group orders --create"
    )]
    Import(Import),
    /// Writes what is held and the dead letters, whole, as NDJSON: one event a line; or how far each key is
    #[command(
        after_help = "Examples:\n  ordered export order-17 > order-17.ndjson\n  ordered export --positions > \
                      positions.tsv"
    )]
    Export(Export),
    /// Holds a history of a run (NDJSON, as the testkit writes it) against the promises: a line for each that is broken
    #[command(after_help = "Example:\n  ordered verify history.ndjson")]
    Verify(Verify),
    /// Writes what a shell needs to complete the commands and options
    #[command(after_help = "Example:\n  ordered completions bash > /etc/bash_completion.d/ordered")]
    Completions(Completions),
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
        after_help = "Example:\n  ordered relay --outbox postgres://orders@localhost/orders --transport \
                      amqp://localhost/%2f --queue order-events"
    )]
    Relay(Box<outbox::Relay>),
}

#[cfg(test)]
mod tests;
