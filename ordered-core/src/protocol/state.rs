use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::producers::Beside;
use super::{Pause, Producers, SeqSet};
use crate::protocol::{Millis, Policy, Start};
use crate::store::{Listing, NEVER_DUE};

/// What the owner of a key knows of it, and saves as the body of its record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct KeyState {
    /// The last seq that was committed or skipped; the one before the first, at the beginning, which is
    /// [`KeyState::BEFORE_ZERO`] where that is 0. What is ahead is compared with [`KeyState::head`].
    pub last_seq: u64,
    /// How often the numbering of the key was started over.
    pub epoch: u64,
    /// How often the event at the head (`last_seq + 1`) failed.
    pub attempts: u32,
    /// How often a worker died while it ran the event at the head alone, on trial.
    pub crashes: u32,
    /// How often the owner died otherwise since the event at the head became that.
    pub unfinished: u32,
    /// The event at the head is on trial: a worker runs it as its only suspect.
    pub on_trial: bool,
    /// When it was on trial last.
    pub tried_at: Millis,
    /// Whether the head may run.
    pub phase: Phase,
    /// Whether an operator has paused the key.
    pub paused: Pause,
    /// What went wrong with the event at the head.
    pub last_error: Option<LastError>,
    /// Since when held events wait for one that has not come.
    pub gap_since: Option<Millis>,
    /// The last request for the event at the head, which has not come.
    pub repair: Option<RepairAsked>,
    /// The seqs of the events that are held in the mailbox.
    pub held: SeqSet,
    /// What will never come, beyond `last_seq`.
    pub absent: SeqSet,
    /// What was skipped, as far as it is remembered, oldest first.
    pub skipped: Vec<Skipped>,
    /// The dead letters, by epoch.
    pub dead: BTreeMap<u64, SeqSet>,
    /// The dead letters of the present epoch that are to be run again, with the number of their failed attempts.
    pub replays: BTreeMap<u64, u32>,
    /// From which seq on events were committed since when, oldest first. Where events lie above an anchor that is
    /// younger than `dedup_ttl`, their ids are all remembered.
    pub anchors: Vec<Anchor>,
    /// What is known of the producers, where the order comes from them. Written apart from the rest, where there is
    /// any.
    #[serde(skip)]
    pub producers: Producers,
}

/// Whether the event at the head of a key may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Phase {
    /// It may.
    #[default]
    Open,
    /// Not before a time: it failed and will be tried again.
    BackingOff {
        /// When it is due, by the store's clock.
        until: Millis,
        /// How long the wait was, in milliseconds.
        wait: u64,
    },
    /// Not until an operator says so: it failed permanently, or has not come in time.
    Halted {
        /// Since when, by the store's clock.
        since: Millis,
    },
}

/// What went wrong with the event at the head of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LastError {
    /// The last error.
    pub error: String,
    /// When it failed first.
    pub first_at: Millis,
    /// When it failed last.
    pub last_at: Millis,
    /// The worker on which it failed last.
    pub worker: String,
}

/// A request for an event that has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RepairAsked {
    /// Its seq.
    pub seq: u64,
    /// When it was asked for last.
    pub at: Millis,
    /// How often it was asked for.
    pub times: u32,
}

/// A range of seqs that was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Skipped {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Until when that is remembered.
    pub until: Millis,
}

/// The events above `seq` were committed at `at` or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Anchor {
    /// The last seq before them.
    pub seq: u64,
    /// When the first of them was committed, rounded down to seconds once it was saved.
    pub at: Millis,
}

impl KeyState {
    /// The last seq of a key that begins with 0, before its beginning.
    pub const BEFORE_ZERO: u64 = u64::MAX;

    /// A key of which nothing was seen yet.
    #[must_use]
    pub fn new(first_seq: u64) -> Self {
        Self {
            last_seq: before(first_seq),
            ..Self::default()
        }
    }

    /// The seq whose turn it is.
    #[must_use]
    pub fn head(&self) -> u64 {
        behind(self.last_seq)
    }

    /// Whether the key has passed this seq.
    #[must_use]
    pub fn is_past(&self, seq: u64) -> bool {
        seq < self.head()
    }

    /// What will never come is forgotten once the key has passed it.
    pub(super) fn forget_passed_absent(&mut self) {
        if self.last_seq != Self::BEFORE_ZERO {
            self.absent.remove_up_to(self.last_seq);
        }
    }

    /// The store knew less than this of the key: what lies up to `last_seq` is done.
    pub(super) fn correct(&mut self, epoch: u64, last_seq: u64) {
        self.epoch = epoch;
        self.last_seq = last_seq;
        self.attempts = 0;
        self.crashes = 0;
        self.unfinished = 0;
        self.on_trial = false;
        self.phase = Phase::Open;
        self.gap_since = None;
        self.repair = None;
        self.forget_passed_absent();
        // The ids of what the store forgot are not remembered.
        self.anchors.clear();
    }

    /// The head is this seq, or lies beyond it: nothing waits before it, and nothing before it is waited for. Says
    /// whether it has moved.
    pub(super) fn raise_head(&mut self, head: u64) -> bool {
        let is_ahead = head > self.head();
        if is_ahead {
            self.last_seq = head - 1;
        }
        is_ahead
    }

    /// Whether the event at the head was tried and failed, or killed its workers.
    pub(super) fn is_head_tried(&self) -> bool {
        self.attempts > 0 || self.crashes > 0
    }

    /// Whether what producers sent, or did not send, halts the key. Then the event at the head is not to blame, where
    /// there is one.
    pub(crate) fn is_halted_by_producers(&self) -> bool {
        let is_halted = matches!(self.phase, Phase::Halted { .. });
        is_halted && !self.is_head_tried() && !self.producers.is_empty()
    }

    /// Which attempt at the event at the head the next one is, from 1. Deaths of workers count.
    #[must_use]
    pub fn next_attempt(&self) -> u32 {
        1 + self.attempts + self.crashes + self.unfinished
    }

    /// Whether the event at the head was under way in workers that died, so that it may be what killed them. A suspect
    /// runs only on trial.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.unfinished >= SUSPECT_AFTER && self.phase == Phase::Open
    }

    /// Whether something of the key that is stored may run now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Open
            && !self.paused.is_on()
            && (!self.replays.is_empty()
                || self.held.first().is_some_and(|first| first <= self.head()))
    }

    /// How many events of it are in the mailbox and wait, whatever for.
    #[must_use]
    pub fn held_events(&self) -> u64 {
        self.held.len() + self.producers.waiting_events()
    }

    /// Whether something is to be done for events that have no number: some were posted and not read, or may have one.
    fn has_to_release(&self, policy: &Policy, now: Millis) -> bool {
        let (order, producers, timeouts) =
            (policy.order, &self.producers, policy.producer_timeouts(now));
        !producers.unread().is_empty()
            || order.late_waiting(producers).is_some()
            || order
                .next_waiting(producers, &Beside::default(), timeouts)
                .is_some()
    }

    /// When an event that waits for other producers runs although nothing comes, where events have times.
    pub(crate) fn next_release(&self, policy: &Policy, now: Millis) -> Option<Millis> {
        let change = self.producers.next_change(policy.producer_timeouts(now));
        change.map(|at| at.min(NEVER_DUE))
    }

    /// Whether nothing of it is stored and nothing is noted but how far it is.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Open
            && !self.paused.is_on()
            && self.held.is_empty()
            && self.producers.waiting_events() == 0
            && self.dead.is_empty()
            && self.unfinished == 0
    }

    /// The epochs and seqs of the dead letters, in order.
    pub fn dead_letters(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let of = |(epoch, seqs): (&u64, &SeqSet)| {
            let epoch = *epoch;
            seqs.iter().map(move |seq| (epoch, seq)).collect::<Vec<_>>()
        };
        self.dead.iter().flat_map(of)
    }

    /// Whether an event of the present epoch with this seq is a dead letter.
    #[must_use]
    pub fn is_dead(&self, seq: u64) -> bool {
        let here = self.dead.get(&self.epoch);
        here.is_some_and(|seqs| seqs.contains(seq))
    }

    /// Where the key is to be listed. `before` is where it is listed now: a key that is due already stays so without a
    /// change.
    #[must_use]
    pub fn listing(&self, policy: &Policy, before: Listing, now: Millis) -> Listing {
        let halted = match self.phase {
            Phase::Halted { since } => Some(since),
            _ => None,
        };
        Listing {
            due: self.due(policy, before, now),
            gap: self.gap_since.filter(|_| halted.is_none()),
            halted,
        }
    }

    fn due(&self, policy: &Policy, before: Listing, now: Millis) -> Option<Millis> {
        if self.is_idle() {
            return None;
        }
        match self.phase {
            _ if self.paused.is_on() => Some(self.paused.end().unwrap_or(NEVER_DUE)),
            Phase::Halted { .. } => Some(NEVER_DUE),
            Phase::BackingOff { until, .. } => Some(until),
            Phase::Open if self.is_ready() || self.has_to_release(policy, now) => {
                match before.due {
                    _ if self.is_suspect() => Some(self.tried_at.min(now)),
                    Some(due) if due <= now => Some(due),
                    _ => Some(now),
                }
            }
            Phase::Open => {
                // While something of it runs nobody else is to look at it.
                let gap = self.gap_since.and_then(|_| self.gap_deadline(policy));
                let due = gap.into_iter().chain(self.next_release(policy, now)).min();
                Some(due.unwrap_or(NEVER_DUE))
            }
        }
    }

    /// The last request for the event at the head. One for an event that has come does not count.
    #[must_use]
    pub fn asked_for_head(&self) -> Option<RepairAsked> {
        self.repair.filter(|asked| asked.seq == self.head())
    }

    /// How long the key waits for its beginning, where that is the smallest seq that comes.
    pub(super) fn settle(&self, policy: &Policy) -> Option<std::time::Duration> {
        let is_at_its_beginning = self.epoch == 0 && self.head() == policy.first_seq;
        match policy.start {
            Start::FirstSeen { settle } if is_at_its_beginning => Some(settle),
            Start::FirstSeen { .. } | Start::FirstSeq => None,
        }
    }

    /// Until when the key waits for an event that has not come, before something is done about it.
    #[must_use]
    pub fn gap_deadline(&self, policy: &Policy) -> Option<Millis> {
        if let Some(settle) = self.settle(policy) {
            return Some(self.gap_since?.saturating_add(millis(settle)));
        }
        if policy.order.has_producers() {
            return self.producers.gap_deadline(policy.on_gap);
        }
        let asked = self.asked_for_head().map(|asked| (asked.at, asked.times));
        policy.on_gap.deadline(self.gap_since?, asked)
    }
}

/// From how many deaths of owners on the event at the head is a suspect.
pub(super) const SUSPECT_AFTER: u32 = 2;

/// The last seq of a key whose head is this one.
pub(super) fn before(head: u64) -> u64 {
    head.wrapping_sub(1)
}

/// The head of a key with this last seq.
pub(super) fn behind(last_seq: u64) -> u64 {
    last_seq.wrapping_add(1)
}

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
