use serde::Serialize;

use super::{BucketState, KeyState, Millis, Phase};

/// What a store tells of one key to a person or a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// The last committed seq.
    pub last_seq: u64,
    /// The fence of the last grant.
    pub fence: u64,
    /// How often the event at the head was started.
    pub attempts: u32,
    /// The worker that runs the key.
    pub worker: Option<String>,
    /// Whether that worker's lease is good.
    pub worker_alive: bool,
    /// The last seq granted to it.
    pub granted_upto: u64,
    /// `open`, `backing_off` or `halted`.
    pub phase: &'static str,
    /// When the event at the head is due, if it backs off.
    pub due: Option<Millis>,
    /// The last error of the event at the head.
    pub error: Option<String>,
    /// When that event failed first.
    pub failing_since: Option<Millis>,
    /// When it failed last.
    pub failed_at: Option<Millis>,
    /// The worker on which it failed last.
    pub failed_on: Option<String>,
    /// The events that wait, in order.
    pub held: Vec<HeldView>,
    /// The sum of their sizes.
    pub held_bytes: u64,
}

/// One held event, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldView {
    /// Its place.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Since when it is held.
    pub since: Millis,
}

impl KeyView {
    /// The view of a state.
    #[must_use]
    pub fn of(bucket: &BucketState, key: &KeyState, now: Millis) -> Self {
        let worker = key.claim.as_ref().map(|claim| &claim.worker);
        let trouble = key.trouble.as_ref();
        let held = key.held.iter().map(|(seq, held)| HeldView {
            seq: *seq,
            id: held.id.as_str().to_owned(),
            since: held.since,
        });
        Self {
            last_seq: key.last_seq,
            fence: key.fence.0,
            attempts: key.attempts,
            worker: worker.map(|worker| worker.as_str().to_owned()),
            worker_alive: worker.is_some_and(|worker| bucket.is_alive(worker, now)),
            granted_upto: key.granted_upto(),
            phase: key.phase.as_str(),
            due: match key.phase {
                Phase::BackingOff { until } => Some(until),
                Phase::Open | Phase::Halted => None,
            },
            error: trouble.map(|trouble| trouble.error.clone()),
            failing_since: trouble.map(|trouble| trouble.first_at),
            failed_at: trouble.map(|trouble| trouble.last_at),
            failed_on: trouble.map(|trouble| trouble.worker.as_str().to_owned()),
            held: held.collect(),
            held_bytes: key.held_bytes,
        }
    }
}

impl Phase {
    /// The word for logs, metrics and the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::BackingOff { .. } => "backing_off",
            Self::Halted => "halted",
        }
    }
}
