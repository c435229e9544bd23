use std::path::PathBuf;

use clap::Args;
use ordered_core::event::{Key, Seq};

use super::parse::key;
use super::verbs::VerbArgs;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The key; all that have something where it is left out
    #[arg(value_parser = key)]
    pub(crate) key: Option<Key>,
    /// How far each key is, in place of its events: one key a line, as `ordered import` takes them
    #[arg(long)]
    pub(crate) positions: bool,
    /// With --positions: as NDJSON
    #[arg(long, requires = "positions")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; `-` is the standard input. A line is a key, a tab and its last seq, or `{"key":"…","last_seq":…}`
    #[cfg_attr(feature = "postgres", arg(required_unless_present = "from_postgres"))]
    #[cfg_attr(not(feature = "postgres"), arg(required = true))]
    pub(crate) file: Option<PathBuf>,
    /// In place of a file, the database of the group's inbox: what its table `ordered_progress` says of the group that
    /// --group names, such as postgres://user@host/database
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    pub(crate) from_postgres: Option<String>,
    /// Make the group that --group names, before its first worker is started
    #[arg(long)]
    pub(crate) create: bool,
    /// With --create: the `first_seq` of its handler
    #[arg(
        long,
        value_name = "SEQ",
        default_value_t = 1,
        requires = "create",
        value_parser = clap::value_parser!(u64).range(0..=Seq::MAX.get())
    )]
    pub(crate) first_seq: u64,
    #[command(flatten)]
    pub(crate) verb_args: VerbArgs,
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

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Of which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
