use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ordered_core::event::{Key, Seq};

use super::parse::{LastSeq, duration, key, last_seq, seq};
use super::selection::SelectionArgs;

/// How to do something.
#[derive(Debug, Args)]
pub(crate) struct VerbArgs {
    /// Say what it would do, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Take the key away from its worker: its handler is not stopped, what it did cannot be committed, and the event
    /// runs again
    #[arg(long)]
    pub(crate) force: bool,
    /// How long to wait for the worker of the key to hand it over, which it does at the end of the event at work:
    /// `500ms`, `30s`, `5m`
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
    /// The keys
    #[arg(value_parser = key)]
    pub(crate) keys: Vec<Key>,
    #[command(flatten)]
    pub(crate) selection_args: SelectionArgs,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Skip {
    /// The keys
    #[arg(value_parser = key)]
    pub(crate) keys: Vec<Key>,
    /// The last seq to pass over, of one key [default: the event that failed, or the whole gap]
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(crate) to: Option<Seq>,
    #[command(flatten)]
    pub(crate) selection_args: SelectionArgs,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
}

#[derive(Debug, Args)]
#[command(override_usage = "ordered discard [OPTIONS] <KEY> <SEQ>\n       \
                            ordered discard [OPTIONS] --dead <KEY>...\n       \
                            ordered discard [OPTIONS] --all | --error <TEXT> | --key <PATTERN> | --older-than <AGE>")]
pub(crate) struct Discard {
    #[arg(
        value_name = "KEY SEQ",
        help = "The key and the event; with --dead the keys"
    )]
    pub(crate) words: Vec<String>,
    /// All dead letters of the keys: delete them permanently
    #[arg(long)]
    pub(crate) dead: bool,
    #[command(flatten)]
    pub(crate) selection_args: SelectionArgs,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
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
    #[arg(long, value_name = "FILE", required_unless_present = "editor")]
    pub(crate) payload: Option<PathBuf>,
    /// Open the body in the editor that VISUAL or EDITOR names
    #[arg(long, conflicts_with = "payload")]
    pub(crate) editor: bool,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetLast {
    /// The key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The last seq; `none` begins the key again, as 0 does where keys begin with 1
    #[arg(value_parser = last_seq)]
    pub(crate) last: LastSeq,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// The key; the whole group where it is left out
    #[arg(value_parser = key)]
    pub(crate) key: Option<Key>,
    /// For how long, of a key: `30s`, `10m`, `2h`, at most 24h. It ends by itself then [default: until it is resumed]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, requires = "key")]
    pub(crate) length: Option<Duration>,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The keys; the whole group where there are none, and no filter
    #[arg(value_parser = key)]
    pub(crate) keys: Vec<Key>,
    #[command(flatten)]
    pub(crate) selection_args: SelectionArgs,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The keys; all that have some where there are none, and no filter
    #[arg(value_parser = key)]
    pub(crate) keys: Vec<Key>,
    /// Only this event, of one key
    #[arg(long, value_name = "SEQ", value_parser = seq, requires = "keys")]
    pub(crate) seq: Option<Seq>,
    #[command(flatten)]
    pub(crate) selection_args: SelectionArgs,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
}
