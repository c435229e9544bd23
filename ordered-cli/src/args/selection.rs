use std::time::Duration;

use clap::Args;
use ordered_core::admin::Selection;
use ordered_core::event::Key;

use super::parse::age;

/// Which keys.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which keys")]
pub(crate) struct SelectionArgs {
    /// All that it can be done to
    #[arg(long)]
    pub(crate) all: bool,
    /// Those that failed with this in their error, or in its cause as `ordered errors` shows it; dead letters with it
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    /// Those that look like this: `*` stands for any letters, `?` for one
    #[arg(long, value_name = "PATTERN")]
    pub(crate) key: Option<String>,
    /// Those that stand so for longer than this, and dead letters that are older: `30s`, `10m`, `2h`, `7d`
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<Duration>,
    /// Those that are halted
    #[arg(long)]
    pub(crate) halted: bool,
    /// Those that wait for an event that has not come, or are halted because of it
    #[arg(long)]
    pub(crate) gap: bool,
    /// Not more than so many, the first by name
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

impl SelectionArgs {
    /// Whether it says more than names of keys do.
    pub(crate) fn is_filter(&self) -> bool {
        let has_text = self.error.is_some() || self.key.is_some();
        let has_state = self.older_than.is_some() || self.halted || self.gap;
        self.all || has_text || has_state
    }

    /// Together with the keys that were named.
    pub(crate) fn of(&self, keys: &[Key]) -> Selection {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        Selection {
            keys,
            pattern: self.key.clone(),
            error: self.error.clone(),
            older_than: self.older_than,
            halted: self.halted,
            gap: self.gap,
            limit: self.limit,
        }
    }
}
