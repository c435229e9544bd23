use std::sync::Arc;
use std::time::Duration;

use super::effect::{Effect, EventChange, KeyChange};
use super::event::Event;
use super::quarantine::Quarantine;
use super::retry_wait::RetryWaits;
use super::watermark::{Adoption, Watermarks};
use crate::event::Key;
use crate::handler::{OnExhausted, OnPassed, OnRepeat};
use crate::protocol::{KeyState, Millis, Phase, Policy, WaitReason, Waiting};

/// The rules that an engine works by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The name of the worker.
    pub worker: String,
    /// The rules of the group.
    pub policy: Policy,
    /// How many events of a key one run takes at the most.
    pub batch: u32,
    /// How many events of a key may be done and not committed while the next one runs.
    pub commit_window: u32,
    /// What happens to an event that failed permanently.
    pub on_exhausted: OnExhausted,
    /// What happens to an event that comes after its seq was skipped.
    pub on_late: OnPassed,
    /// What happens to an event that was committed under an id that is not remembered, if it was.
    pub on_stale: OnPassed,
    /// What happens to an event whose id was committed under another seq.
    pub on_repeat: OnRepeat,
    /// The longest wait between attempts that the worker keeps the key for.
    pub own_backoff: Duration,
    /// How many runs of the handler there are at a time.
    pub concurrency: usize,
    /// How many keys the worker takes over at the most.
    pub max_keys: usize,
    /// How many deliveries may be unsettled.
    pub read_ahead: usize,
    /// Events wait in memory for room in the queue of their key for a while before they are held.
    pub overflow: bool,
}

/// By the name alone: nobody keeps many engines that differ in their other rules.
impl std::hash::Hash for Rules {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.worker.hash(hasher);
    }
}

impl Rules {
    /// How many events of a key may have been started at the most when the first of them is not committed yet.
    pub(super) fn reach(&self) -> u64 {
        u64::from(self.batch) + u64::from(self.commit_window)
    }

    pub(super) fn runs_ahead(&self) -> bool {
        self.batch > 1 || self.commit_window > 0
    }

    /// How many events of a key are in memory for their turn.
    pub(super) fn depth(&self) -> usize {
        self.policy.lane_depth.max(1) as usize
    }
}

/// What the keys at work share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Shared<D> {
    pub(super) rules: Arc<Rules>,
    /// The store's time, as the worker estimates it.
    pub(super) now: Millis,
    /// What that was when the worker began.
    pub(super) at_work_since: Millis,
    /// The group is paused.
    pub(super) paused: bool,
    pub(super) draining: bool,
    /// How many runs are under way.
    pub(super) running: usize,
    /// The number of the next run.
    pub(super) next_run: u64,
    pub(super) quarantine: Quarantine,
    pub(super) retry_waits: RetryWaits,
    pub(super) watermarks: Watermarks,
    pub(super) adoption: Adoption,
    pub(super) effects: Vec<Effect>,
    /// Keys that the worker asks for next.
    pub(super) claims: Vec<Key>,
    pub(super) data: std::marker::PhantomData<D>,
}

impl<D> Shared<D> {
    pub(super) fn observe(&mut self, key: &Key, event: &Event<D>, what: EventChange) {
        self.effects.push(Effect::Event {
            key: key.clone(),
            seq: event.seq,
            id: event.id.clone(),
            what,
        });
    }

    /// What stands in the way of the events of a key that wait.
    pub(super) fn obstacle(&self, state: &KeyState) -> Waiting {
        let why = match state.phase {
            Phase::Halted { .. } => WaitReason::Halted,
            _ if state.paused.is_on() || self.paused => WaitReason::Paused,
            Phase::BackingOff { .. } => WaitReason::BackingOff,
            Phase::Open if state.is_suspect() => WaitReason::BackingOff,
            Phase::Open if self.rules.policy.order.has_producers() => WaitReason::Earlier,
            Phase::Open => WaitReason::Gap,
        };
        Waiting {
            for_seq: state.head(),
            why,
        }
    }

    pub(super) fn observe_key(&mut self, key: &Key, what: KeyChange) {
        let key = key.clone();
        self.effects.push(Effect::Key { key, what });
    }

    pub(super) fn wake(&mut self, key: &Key, after: Duration) {
        let key = key.clone();
        self.effects.push(Effect::Wake { key, after });
    }
}
