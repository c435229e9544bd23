use serde::{Deserialize, Serialize};

use super::{BucketState, DeadCause, KeyState, Millis, Phase};

/// What a store tells of one key to a person or a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The key.
    pub key: String,
    /// The last committed seq, or the last one that was passed over.
    pub last_seq: u64,
    /// How often the numbering of the key was begun again.
    pub epoch: u64,
    /// The fence of the last grant.
    pub fence: u64,
    /// How often the event at the head was started.
    pub attempts: u32,
    /// The worker that runs the key.
    pub claim: Option<ClaimView>,
    /// `open`, `backing_off` or `halted`.
    pub phase: String,
    /// When the event at the head is due, if it backs off.
    pub due: Option<Millis>,
    /// Whether the key is paused.
    pub paused: bool,
    /// Whether its whole group is.
    pub group_paused: bool,
    /// What went wrong with the event at the head.
    pub trouble: Option<TroubleView>,
    /// Since when events wait for one that has not come.
    pub gap_since: Option<Millis>,
    /// The events that wait, in order; at most [`KeyView::MOST`] of them.
    pub held: Vec<HeldView>,
    /// How many events wait.
    pub held_events: u64,
    /// The sum of their sizes.
    pub held_bytes: u64,
    /// The ranges beyond `last_seq` that will never come.
    pub absent: Vec<(u64, u64)>,
    /// The events that were put aside, in order; at most [`KeyView::MOST`] of them.
    pub dead: Vec<DeadView>,
    /// How many events were put aside.
    pub dead_events: u64,
    /// The time of the store when it was asked.
    pub now: Millis,
}

/// A worker's hold on a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimView {
    /// The worker.
    pub worker: String,
    /// Since when it has the key.
    pub since: Millis,
    /// Until when its lease is good; `None` when the store knows of no lease.
    pub lease_until: Option<Millis>,
    /// The seqs that it was granted.
    pub granted: Vec<u64>,
}

/// What went wrong with the event at the head of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleView {
    /// The last error.
    pub error: String,
    /// When it failed first.
    pub first_at: Millis,
    /// When it failed last.
    pub last_at: Millis,
    /// The worker on which it failed last.
    pub worker: String,
}

/// One held event, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldView {
    /// Its place.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Since when it is held.
    pub since: Millis,
    /// Its size in bytes.
    pub bytes: u64,
}

/// One event that was put aside, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadView {
    /// The numbering it belongs to.
    pub epoch: u64,
    /// Its place.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// `failed`, `skipped`, `discarded` or `superseded`.
    pub cause: String,
    /// The last error.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was put aside.
    pub at: Millis,
    /// It is to be run again.
    pub replay: bool,
}

impl KeyView {
    /// How many held events, and how many that were put aside, a view lists at the most.
    pub const MOST: usize = 1_000;

    /// The view of a state.
    #[must_use]
    pub fn of(name: &str, bucket: &BucketState, key: &KeyState, now: Millis) -> Self {
        let claim = key.claim.as_ref().map(|claim| ClaimView {
            worker: claim.worker.as_str().to_owned(),
            since: claim.since,
            lease_until: bucket.leases.get(&claim.worker).copied(),
            granted: claim.granted.iter().map(|granted| granted.seq).collect(),
        });
        let held = key
            .held
            .iter()
            .take(Self::MOST)
            .map(|(seq, held)| HeldView {
                seq: *seq,
                id: held.id.as_str().to_owned(),
                since: held.since,
                bytes: held.envelope.size(),
            });
        let dead = key
            .dead
            .iter()
            .take(Self::MOST)
            .map(|((epoch, seq), dead)| DeadView {
                epoch: *epoch,
                seq: *seq,
                id: dead.id.as_str().to_owned(),
                cause: dead.cause.as_str().to_owned(),
                error: dead.error.clone(),
                attempts: dead.attempts,
                at: dead.at,
                replay: dead.replay,
            });
        Self {
            key: name.to_owned(),
            last_seq: key.last_seq,
            epoch: key.epoch,
            fence: key.fence.0,
            attempts: key.attempts,
            claim,
            phase: key.phase.as_str().to_owned(),
            due: match key.phase {
                Phase::BackingOff { until } => Some(until),
                Phase::Open | Phase::Halted => None,
            },
            paused: key.paused,
            group_paused: bucket.paused,
            trouble: key.trouble.as_ref().map(|trouble| TroubleView {
                error: trouble.error.clone(),
                first_at: trouble.first_at,
                last_at: trouble.last_at,
                worker: trouble.worker.as_str().to_owned(),
            }),
            gap_since: key.gap_since,
            held: held.collect(),
            held_events: key.held.len() as u64,
            held_bytes: key.held_bytes,
            absent: key.absent.iter().map(|(from, to)| (*from, *to)).collect(),
            dead: dead.collect(),
            dead_events: key.dead.len() as u64,
            now,
        }
    }
}

impl DeadCause {
    /// The word for logs and the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Discarded => "discarded",
            Self::Superseded => "superseded",
            Self::Late => "late",
            Self::Conflict => "conflict",
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
