use std::time::Duration;

use ordered_core::event::Seq;
use ordered_core::protocol::{Action, GapPolicy, Policy, Quota, Verb};

/// An event that was published: its seq, and which id it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its seq.
    pub seq: u8,
    /// Its id, as a letter.
    pub id: char,
    /// The numbering that it belongs to, where it says so.
    pub epoch: Option<u8>,
}

/// What a producer says of the key besides: a message like the events, delivered in any order and more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Action`")]
pub enum Said {
    Fill { from: u8, to: u8 },
    Reset { at: u8, epoch: Option<u8> },
}

/// What an operator may do, in one call that is applied at any moment. Retry and resume, which free a key that stands
/// still, can always be said besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "as in `Verb`")]
pub enum Order {
    Retry,
    Resume,
    Pause,
    Skip,
    SkipTo(u8),
    Discard(u8),
    SetLast(u8),
    Replay,
}

/// What happens to a key whose next event has not come for a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `GapPolicy`")]
pub enum OnGap {
    Wait,
    Skip,
    Halt,
}

/// A person beside the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// What is done, besides retry and resume.
    pub orders: &'static [Order],
    /// How often any of it has an effect.
    pub times: u8,
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
    /// What producers say of the key besides.
    pub said: &'static [Said],
    /// An event whose attempts are used up is put aside, and the key goes on; else it is halted.
    pub dead_letters: bool,
    /// What happens when an event has not come for a tick.
    pub on_gap: OnGap,
    /// Who intervenes, if anybody does.
    pub operator: Option<Operator>,
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
        policy.on_gap = match self.on_gap {
            OnGap::Wait => GapPolicy::Wait,
            OnGap::Skip => GapPolicy::Skip { after: TICK },
            OnGap::Halt => GapPolicy::Halt { after: TICK },
        };
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
            (self.dead_letters, "dead letters"),
            (self.on_gap == OnGap::Skip, "gaps are skipped"),
            (self.on_gap == OnGap::Halt, "gaps halt"),
            (!self.said.is_empty(), "control events"),
            (self.operator.is_some(), "an operator"),
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

impl Said {
    pub(crate) fn action(self) -> Action {
        match self {
            Self::Fill { from, to } => Action::Fill {
                from: place(from),
                to: place(to),
            },
            Self::Reset { at, epoch } => Action::Reset {
                at: place(at),
                epoch: epoch.map(u64::from),
            },
        }
    }
}

impl Order {
    pub(crate) fn verb(self) -> Verb {
        match self {
            Self::Retry => Verb::Retry,
            Self::Resume => Verb::Resume,
            Self::Pause => Verb::Pause,
            Self::Skip => Verb::Skip { to: None },
            Self::SkipTo(to) => Verb::Skip {
                to: Some(place(to)),
            },
            Self::Discard(seq) => Verb::Discard { seq: place(seq) },
            Self::SetLast(to) => Verb::SetLast { to: u64::from(to) },
            Self::Replay => Verb::Replay { seq: None },
        }
    }

    /// What frees a key that stands still can be said any number of times.
    pub(crate) fn frees(self) -> bool {
        matches!(self, Self::Retry | Self::Resume)
    }
}

pub(crate) fn place(seq: u8) -> Seq {
    Seq::new(u64::from(seq)).expect("seqs of the model begin with 1")
}

/// `seq` with an id of its own.
pub(crate) const fn event(seq: u8, id: char) -> Published {
    Published {
        seq,
        id,
        epoch: None,
    }
}

/// The same, of a numbering.
pub(crate) const fn event_of(epoch: u8, seq: u8, id: char) -> Published {
    Published {
        seq,
        id,
        epoch: Some(epoch),
    }
}
