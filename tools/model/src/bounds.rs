use std::time::Duration;

use ordered_core::event::Seq;
use ordered_core::handler::{OnExhausted, OnPassed, OnRepeat};
use ordered_core::internal::engine::Rules;
use ordered_core::protocol::{GapPolicy, Order as Sequencing, Policy, Quota, Verb};
use ordered_core::worker::Control;

use crate::event::Which;

/// An event that was published: its seq, and which id it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The number of its key.
    pub key: u8,
    /// Its seq.
    pub seq: u8,
    /// Its id, as a letter.
    pub id: char,
    /// The numbering that it belongs to, where it says so.
    pub epoch: Option<u8>,
    /// Who sent it, by the place of its producer, and how many events of each producer that one knew, with this one.
    pub from: Option<(usize, &'static [u8])>,
    /// Who sent it, by the place of its producer, as which of its events, and at which Lamport time.
    pub timed: Option<(usize, u8, u8)>,
}

/// What a producer says of the first key besides: a message like the events, delivered in any order and more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Control`")]
pub enum Said {
    Fill {
        from: u8,
        to: u8,
    },
    FillOf {
        producer: usize,
        from: u8,
        to: u8,
    },
    Reset {
        at: u8,
        epoch: Option<u8>,
    },
    Leave {
        producer: usize,
        after: u8,
        time: u8,
    },
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
    PauseGroup,
    ResumeGroup,
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

/// Which faults may happen, at any moment.
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
    /// A call is carried out, and its answer is lost.
    pub lost_answers: bool,
    /// A call takes its time, the worker gives it up, and it may be carried out later, or never.
    pub late_calls: bool,
    /// The broker loses a consumer's connection, and delivers again what was not settled.
    pub lost_connections: bool,
    /// A worker is paused past its lease, and wakes.
    pub pauses: bool,
    /// The handler fails.
    pub failures: bool,
    /// The store loses everything, once.
    pub state_loss: bool,
    /// An operator takes the key and is never heard of again.
    pub lost_operators: bool,
    /// An operator takes the key away from a worker that is alive.
    pub force: bool,
}

/// What is explored.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting that is on or off"
)]
pub struct Bounds {
    /// For the table.
    pub name: &'static str,
    /// How many workers there are at a time.
    pub workers: usize,
    /// In which order the events of a key run. In `arrival` and `causal` their seqs are their places in the queue.
    pub sequencing: Sequencing,
    /// The queue hands messages over in their order, to one worker at a time.
    pub in_order: bool,
    /// What is published. It may be delivered in any order.
    pub events: &'static [Published],
    /// How many deliveries of each message there are.
    pub copies: u8,
    /// A message may be delivered again when one of them is acknowledged, any number of times.
    pub repeats: bool,
    /// A delivery that comes again says so.
    pub marks_repeats: bool,
    /// How many ticks a committed event is remembered; permanently if `None`.
    pub remembered: Option<u8>,
    /// How often one event is tried.
    pub attempts: u32,
    /// How many events of a key one worker has in memory.
    pub lane_depth: u32,
    /// How many events a save hands back.
    pub next_events: u32,
    /// How many events of a key may be held.
    pub quota: u64,
    /// How many events a run takes at the most.
    pub batch: u32,
    /// How many events may be done and not committed while the next one runs.
    pub window: u32,
    /// How many handlers a worker runs at a time.
    pub concurrency: usize,
    /// A key waits in memory for its next attempt where the wait is short; else always in the store.
    pub keeps_retries: bool,
    /// What waits in memory for room is held after a while.
    pub overflow: bool,
    /// What producers say of the first key besides.
    pub said: &'static [Said],
    /// An event whose attempts are used up is dead-lettered, and the key goes on; else it is halted.
    pub dead_letters: bool,
    /// What happens when an event has not come for a tick.
    pub on_gap: OnGap,
    /// Who intervenes, if anybody does.
    pub operator: Option<Operator>,
    /// An event that kills every worker that runs it. Then nothing else does.
    pub poison: Option<Which>,
    /// What may go wrong.
    pub faults: Faults,
    /// How often something goes wrong in all; any number of times if `None`.
    pub most_faults: Option<u8>,
}

/// A second, since the store keeps some times in seconds.
pub(crate) const TICK: Duration = Duration::from_secs(1);

impl Bounds {
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        policy.order = self.sequencing;
        policy.max_attempts = Some(self.attempts);
        policy.max_crashes = self.attempts;
        // The model has no time for it.
        policy.give_up_after = None;
        policy.producer_lease = Duration::from_millis(ordered_core::store::NEVER_DUE);
        policy.dedup_ttl = self
            .remembered
            .map_or(Duration::from_secs(100_000), |ticks| {
                TICK * u32::from(ticks)
            });
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

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            // All have one name, so that workers that differ in nothing else are the same.
            worker: "worker".into(),
            policy: self.policy(),
            batch: self.batch,
            commit_window: self.window,
            on_exhausted: if self.dead_letters {
                OnExhausted::DeadLetter
            } else {
                OnExhausted::Halt
            },
            on_late: OnPassed::DeadLetter,
            on_stale: OnPassed::DeadLetter,
            on_repeat: OnRepeat::Skip,
            own_backoff: if self.keeps_retries {
                TICK / 2
            } else {
                Duration::ZERO
            },
            concurrency: self.concurrency,
            max_keys: 4,
            read_ahead: 8,
            overflow: self.overflow,
        }
    }

    /// Whether an owner could go on for long enough with a key that it was asked for.
    pub(crate) fn may_outstay(&self) -> bool {
        self.operator.is_some() && self.events.len() > 2
    }

    /// Whether an event may run before those before it are committed.
    pub(crate) fn runs_ahead(&self) -> bool {
        self.batch > 1 || self.window > 0
    }

    /// What may go wrong, in words.
    #[must_use]
    pub fn wrongs(&self) -> String {
        let faults = self.faults;
        let wrongs = [
            (self.copies > 1, "duplicates in flight"),
            (faults.crashes, "crashes"),
            (self.poison.is_some(), "an event that kills"),
            (faults.stops, "restarts"),
            (faults.pauses, "pauses"),
            (faults.lost_answers, "lost answers"),
            (faults.late_calls, "late calls"),
            (faults.lost_connections, "lost connections"),
            (faults.failures, "failing handlers"),
            (faults.state_loss, "lost state"),
            (self.remembered.is_some(), "forgotten ids"),
            (self.dead_letters, "dead letters"),
            (self.on_gap == OnGap::Skip, "gaps are skipped"),
            (self.on_gap == OnGap::Halt, "gaps halt"),
            (!self.said.is_empty(), "control events"),
            (self.operator.is_some(), "an operator"),
            (faults.force, "force"),
            (faults.lost_operators, "operators that vanish"),
        ];
        let happens = wrongs.into_iter().filter(|(happens, _)| *happens);
        let words: Vec<_> = happens.map(|(_, words)| words).collect();
        let words = words.join(", ");
        match self.most_faults {
            Some(1) => format!("{words}; one fault"),
            Some(most) => format!("{words}; {most} faults"),
            None => words,
        }
    }
}

impl Said {
    pub(crate) fn control(self) -> Control {
        match self {
            Self::Fill { from, to } => Control::GapFill {
                from: place(from),
                to: place(to),
            },
            Self::FillOf { producer, from, to } => Control::GapFillOf {
                producer: crate::event::PRODUCERS[producer].to_owned(),
                from: place(from),
                to: place(to),
            },
            Self::Reset { at, epoch } => Control::Reset {
                at: place(at),
                epoch: epoch.map(u64::from),
            },
            Self::Leave {
                producer,
                after,
                time,
            } => Control::Leave {
                producer: crate::event::PRODUCERS[producer].to_owned(),
                after: u64::from(after),
                time: u64::from(time),
            },
        }
    }

    /// Whether it says that the seq will not come.
    pub(crate) fn covers(self, seq: u64) -> bool {
        match self {
            Self::Fill { from, to } => (u64::from(from)..=u64::from(to)).contains(&seq),
            Self::Reset { at, epoch: None } => seq < u64::from(at),
            Self::FillOf { .. } | Self::Reset { .. } | Self::Leave { .. } => false,
        }
    }
}

impl Order {
    /// What it does to a key; what is about the whole group does nothing to a key.
    pub(crate) fn verb(self) -> Option<Verb> {
        Some(match self {
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
            Self::PauseGroup | Self::ResumeGroup => return None,
        })
    }

    /// What frees a key that stands still can be said any number of times.
    pub(crate) fn frees(self) -> bool {
        matches!(self, Self::Retry | Self::Resume | Self::ResumeGroup)
    }
}

pub(crate) fn place(seq: u8) -> Seq {
    Seq::new(u64::from(seq)).expect("seqs of the model begin with 1")
}

/// `seq` of the first key, with an id of its own.
pub(crate) const fn event(seq: u8, id: char) -> Published {
    event_at(0, seq, id)
}

/// The same, of another key.
pub(crate) const fn event_at(key: u8, seq: u8, id: char) -> Published {
    Published {
        key,
        seq,
        id,
        epoch: None,
        from: None,
        timed: None,
    }
}

/// The same with a Lamport time: its producer by its place, as which of its events, and when.
pub(crate) const fn event_timed(
    seq: u8,
    id: char,
    producer: usize,
    own: u8,
    time: u8,
) -> Published {
    Published {
        timed: Some((producer, own, time)),
        ..event(seq, id)
    }
}

/// The same with a vector clock: its producer by its place, and what that one knew.
pub(crate) const fn event_from(
    seq: u8,
    id: char,
    producer: usize,
    clock: &'static [u8],
) -> Published {
    Published {
        from: Some((producer, clock)),
        ..event(seq, id)
    }
}

/// The same, of a numbering.
pub(crate) const fn event_of(epoch: u8, seq: u8, id: char) -> Published {
    Published {
        key: 0,
        seq,
        id,
        epoch: Some(epoch),
        from: None,
        timed: None,
    }
}
