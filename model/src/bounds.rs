use std::time::Duration;

use ordered_core::protocol::{Policy, Quota};

/// An event that was published: its seq, and which id it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its seq.
    pub seq: u8,
    /// Its id, as a letter.
    pub id: char,
}

/// Which faults may happen, each any number of times and at any moment.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fault that is on or off"
)]
pub struct Faults {
    /// A worker dies, and another process with a new name takes its place.
    pub crashes: bool,
    /// A worker is told to stop, drains, leaves, and another takes its place.
    pub stops: bool,
    /// A batch is applied, wholly or in part, and its reply is lost: the worker sends it again.
    pub lost_replies: bool,
    /// The broker loses a consumer's connection, and delivers again what was not settled.
    pub lost_connections: bool,
    /// Time passes without a heartbeat: a worker is paused past its lease, and wakes.
    pub pauses: bool,
    /// The handler fails.
    pub failures: bool,
    /// The clock of the store's server jumps forward or back.
    pub clock_steps: bool,
}

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// For the table.
    pub name: &'static str,
    /// How many workers there are at a time.
    pub workers: usize,
    /// What is published. It may be delivered in any order.
    pub events: &'static [Published],
    /// How many deliveries of one event may be around at a time; a further copy may appear when one is settled.
    pub copies: u8,
    /// How many ticks a lease lasts.
    pub lease: u8,
    /// How many ticks a committed event is remembered; for good if `None`.
    pub remembered: Option<u8>,
    /// How often one event is tried.
    pub attempts: u32,
    /// How many events one worker may have granted.
    pub lane_depth: u32,
    /// How many events a commit hands back.
    pub next_events: u32,
    /// How many events of the key may be held.
    pub quota: u64,
    /// Whether the store applies a batch command by command, so that others come in between and a lost reply can mean
    /// that a part was applied; else all at once.
    pub piecewise: bool,
    /// What may go wrong.
    pub faults: Faults,
}

pub(crate) const TICK: Duration = Duration::from_millis(1);

impl Bounds {
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        policy.max_attempts = self.attempts;
        policy.dedup_ttl = self
            .remembered
            .map_or(Duration::from_secs(1000), |ticks| TICK * u32::from(ticks));
        policy.lane_depth = self.lane_depth;
        policy.next_events = self.next_events;
        policy.key_quota = Quota {
            events: self.quota,
            bytes: u64::MAX / 2,
        };
        policy
    }

    /// What may go wrong, in words.
    #[must_use]
    pub fn wrongs(&self) -> String {
        let faults = self.faults;
        let wrongs = [
            (self.copies > 1, "duplicates in flight"),
            (faults.crashes, "crashes"),
            (faults.stops, "restarts"),
            (faults.pauses, "pauses"),
            (faults.lost_replies && !self.piecewise, "lost replies"),
            (
                faults.lost_replies && self.piecewise,
                "lost replies, batches half applied",
            ),
            (faults.lost_connections, "lost connections"),
            (faults.failures, "failing handlers"),
            (faults.clock_steps, "clock steps"),
            (self.remembered.is_some(), "forgotten ids"),
        ];
        let happens = wrongs.into_iter().filter(|(happens, _)| *happens);
        let words: Vec<_> = happens.map(|(_, words)| words).collect();
        words.join(", ")
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.events
            .iter()
            .map(|event| u64::from(event.seq))
            .max()
            .unwrap_or(0)
    }
}

/// `seq` with an id of its own.
pub(crate) const fn event(seq: u8, id: char) -> Published {
    Published { seq, id }
}
