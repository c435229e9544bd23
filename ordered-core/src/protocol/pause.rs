use serde::{Deserialize, Serialize};

use super::Transition;
use super::state::millis;
use crate::protocol::Millis;

/// Whether an operator has paused a key.
///
/// It was a flag once: the first two are written as `false` and `true` were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Pause {
    /// It is not.
    #[default]
    No,
    /// Until an operator resumes it.
    UntilResumed,
    /// Until a time, or until an operator resumes it.
    Until {
        /// When it ends, by the store's clock.
        at: Millis,
        /// How long it is, in milliseconds.
        length: u64,
    },
}

impl Pause {
    /// Whether the key is paused.
    #[must_use]
    pub fn is_on(self) -> bool {
        self != Self::No
    }

    /// When it ends by itself.
    #[must_use]
    pub fn end(self) -> Option<Millis> {
        match self {
            Self::Until { at, .. } => Some(at),
            Self::No | Self::UntilResumed => None,
        }
    }
}

impl Transition<'_> {
    pub(super) fn pause_for(&mut self, length: std::time::Duration) {
        let length = millis(length);
        self.state.paused = Pause::Until {
            at: self.now.saturating_add(length),
            length,
        };
    }

    /// Ends a pause that is over. Where the store's clock stepped back, it is cut to its own length from now.
    pub(super) fn end_pause_if_over(&mut self) {
        if let Pause::Until { at, length } = &mut self.state.paused {
            *at = (*at).min(self.now.saturating_add(*length));
            if *at <= self.now {
                self.state.paused = Pause::No;
            }
        }
    }
}
