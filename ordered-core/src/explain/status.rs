use std::fmt;

use serde::{Deserialize, Serialize};

use super::explainer::Explainer;
use crate::admin::Admin;

/// What a key is doing. Where several things are so, the one that must be dealt with first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyStatus {
    /// Nothing is known of it.
    NeverSeen,
    /// Nothing of it waits.
    Idle,
    /// A living worker has it.
    Running,
    /// A worker has it whose lease is over.
    Abandoned,
    /// Something of it may run, and nobody has it yet.
    Ready,
    /// Its workers died, maybe of the event at the head: that waits until a worker runs it alone.
    Suspect,
    /// Events wait for one that has not come.
    Gap,
    /// An event failed and will be tried again later.
    BackingOff,
    /// It stopped at an event that failed permanently, or that has not come in time.
    Halted,
    /// An operator has stopped it, or its group.
    Paused,
    /// What is stored of it cannot be read.
    Unreadable,
}

impl KeyStatus {
    /// The word for tables and the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverSeen => "never_seen",
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Abandoned => "abandoned",
            Self::Ready => "ready",
            Self::Suspect => "suspect",
            Self::Gap => "gap",
            Self::BackingOff => "backing_off",
            Self::Halted => "halted",
            Self::Paused => "paused",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Explainer<'_> {
    pub(super) fn status(&self) -> KeyStatus {
        let view = self.view;
        if view.phase == Admin::UNREADABLE {
            return KeyStatus::Unreadable;
        }
        if let Some(claim) = &view.claim {
            let alive = claim.lease_until.is_some_and(|until| until > view.now);
            return if alive {
                KeyStatus::Running
            } else {
                KeyStatus::Abandoned
            };
        }
        if self.is_halted() {
            KeyStatus::Halted
        } else if view.paused || view.group_paused {
            KeyStatus::Paused
        } else if view.due.is_some_and(|due| due > view.now) {
            KeyStatus::BackingOff
        } else if view.suspect && self.head_is_held() {
            KeyStatus::Suspect
        } else if self.head_is_held() || self.replays().next().is_some() {
            KeyStatus::Ready
        } else if view.held_events > 0 {
            KeyStatus::Gap
        } else {
            KeyStatus::Idle
        }
    }
}
