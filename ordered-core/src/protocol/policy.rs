use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::producers::Timeouts;
use super::state::millis;
use super::{Millis, Order};

/// What a group asks of the protocol. Every worker of a group runs with the same policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Policy {
    /// In which order the events of a key run. It cannot be changed for a group that exists. Default: as their seqs
    /// say.
    pub order: Order,
    /// How many producers one key has at the most, where the order comes from them. An event of one more halts its key:
    /// a producer that was forgotten would make wrong orders. Default 64.
    pub max_producers: u32,
    /// How long an event waits for a producer of its key of which nothing is heard meanwhile, with Lamport times. After
    /// that the producer is given up until it is heard of again. Default 1 minute.
    pub producer_lease: Duration,
    /// How long an event waits at the most for what may come before it, with Lamport times. What comes later than that
    /// is late. `None`: as long as a producer may still send something. Default `None`.
    pub max_delay: Option<Duration>,
    /// The seq that a key never seen before begins with: 0, 1 or any other. It is the same for as long as the group
    /// exists. Default 1.
    pub first_seq: u64,
    /// Where a key never seen before begins. Default: with `first_seq`, however long that takes to come.
    pub start: Start,
    /// How long an event whose handler fails is tried again, counted from its first failure. After that it counts as
    /// failed permanently. `None`: it is tried until it succeeds. Default 1 hour.
    pub give_up_after: Option<Duration>,
    /// How often the handler may fail on one event before it counts as failed permanently, however early that is.
    /// `None`: only [`give_up_after`](Policy::give_up_after) ends the attempts. Default `None`.
    pub max_attempts: Option<u32>,
    /// How many workers may die while they run one event alone before its key is halted. Default 5.
    pub max_crashes: u32,
    /// What to do about an event that does not come while later ones wait. Default: wait for it.
    pub on_gap: GapPolicy,
    /// After how long a key that waits for an event that has not come counts as stuck, and is reported as such.
    /// Default 1 minute.
    pub stuck_after: Duration,
    /// How long a processed event is remembered after its commit, by its id and by its seq. Default 24 hours.
    ///
    /// Within it a repetition is told from a conflict, and an id that comes back under another seq is not handled
    /// again. After it, what lies at or below the last committed seq is [`Stale`](super::Placement::Stale): never
    /// handled again either, since the last seq itself is kept permanently.
    pub dedup_ttl: Duration,
    /// How many events one worker may have granted for one key at a time; what comes behind them is held in the
    /// store, so that a hot key cannot fill a worker. Default 32.
    pub lane_depth: u32,
    /// How many events, in all, one commit hands back with its verdict. Default 16.
    pub next_events: u32,
    /// How many bytes of events one commit hands back; the first is handed back whatever its size. Default 256 KiB.
    pub next_bytes: u64,
    /// What may be held for one key. Default 10,000 events and 64 MiB.
    pub key_quota: Quota,
    /// What may be held for the whole group. Keys are spread over buckets, and each bucket has its equal share.
    /// Default 1,000,000 events and 1 GiB.
    pub group_quota: Quota,
}

impl Policy {
    /// How often a dead letter that is run again may fail, where `max_attempts` says nothing.
    pub const REPLAY_ATTEMPTS: u32 = 5;

    /// For how long producers are waited for.
    pub(super) fn producer_timeouts(&self, now: Millis) -> Timeouts {
        Timeouts {
            now,
            lease: millis(self.producer_lease),
            max_delay: self.max_delay.map(millis),
        }
    }

    /// How often a dead letter that is run again may fail before it is a dead letter again.
    #[must_use]
    pub fn replay_attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(Self::REPLAY_ATTEMPTS)
    }
}

/// Where a key begins of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[non_exhaustive]
pub enum Start {
    /// With the group's `first_seq`: what comes later waits for it.
    #[default]
    FirstSeq,
    /// With the smallest seq that has come within this time of the first one: the group begins in the middle of a
    /// stream. What comes below it later is [`Stale`](super::Placement::Stale).
    FirstSeen {
        /// How long smaller seqs may still come.
        settle: Duration,
    },
}

impl Start {
    /// How long smaller seqs may still come, if [`FirstSeen`](Start::FirstSeen) does not say otherwise.
    pub const SETTLE: Duration = Duration::from_secs(10);
}

/// What to do about an event that does not come while later ones of its key wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GapPolicy {
    /// Wait for it, however long it takes.
    Wait,
    /// Pass over it after this time, and go on with the next that is there.
    Skip {
        /// How long to wait first.
        after: Duration,
    },
    /// Halt the key after this time.
    Halt {
        /// How long to wait first.
        after: Duration,
    },
    /// Ask the [`Repair`](crate::worker::Repair) of the worker for it after this time. Where it does not come, ask
    /// again: after twice the time, and so on up to [`GapPolicy::MAX_DOUBLINGS`].
    Repair {
        /// How long to wait first.
        after: Duration,
    },
}

impl GapPolicy {
    /// How often the wait between two requests for the same event doubles.
    pub const MAX_DOUBLINGS: u32 = 6;

    /// When something is done about a gap: since when there is one, and when its first event was asked for last, and
    /// how often.
    #[must_use]
    pub fn deadline(self, since: Millis, asked: Option<(Millis, u32)>) -> Option<Millis> {
        let after = u64::try_from(self.after()?.as_millis()).unwrap_or(u64::MAX);
        match (self, asked) {
            (Self::Repair { .. }, Some((at, times))) => {
                let doublings = times.min(Self::MAX_DOUBLINGS);
                Some(at.saturating_add(after.saturating_mul(1 << doublings)))
            }
            _ => Some(since.saturating_add(after)),
        }
    }

    /// After how long something is done.
    #[must_use]
    pub fn after(self) -> Option<Duration> {
        match self {
            Self::Wait => None,
            Self::Skip { after } | Self::Halt { after } | Self::Repair { after } => Some(after),
        }
    }
}

/// A bound on what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quota {
    /// Events.
    pub events: u64,
    /// Bytes of body and headers.
    pub bytes: u64,
}

impl Quota {
    /// The equal share of one of `parts`, at least one event.
    #[must_use]
    pub fn share(self, parts: u32) -> Self {
        let parts = u64::from(parts.max(1));
        Self {
            events: (self.events / parts).max(1),
            bytes: (self.bytes / parts).max(1),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            order: Order::default(),
            max_producers: 64,
            producer_lease: Duration::from_secs(60),
            max_delay: None,
            first_seq: 1,
            start: Start::default(),
            give_up_after: Some(Duration::from_secs(60 * 60)),
            max_attempts: None,
            max_crashes: 5,
            on_gap: GapPolicy::Wait,
            stuck_after: Duration::from_secs(60),
            dedup_ttl: Duration::from_secs(24 * 60 * 60),
            lane_depth: 32,
            next_events: 16,
            next_bytes: 256 * 1024,
            key_quota: Quota {
                events: 10_000,
                bytes: 64 << 20,
            },
            group_quota: Quota {
                events: 1_000_000,
                bytes: 1 << 30,
            },
        }
    }
}
