use serde::{Deserialize, Serialize};

use super::{DeadCause, Millis};

/// What a store tells of one key to a person or a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyView {
    /// The key.
    pub key: String,
    /// The last committed seq, or the last one that was passed over. It is 0 as well where keys begin with 0 and
    /// nothing is done.
    pub last_seq: u64,
    /// The seq whose turn it is.
    pub next_seq: u64,
    /// How often the numbering of the key was begun again.
    pub epoch: u64,
    /// The fence of the last grant.
    pub fence: u64,
    /// How many attempts at the event at the head came to nothing; deaths of its workers count.
    pub attempts: u32,
    /// How many of them were deaths of its workers.
    pub deaths: u32,
    /// How many of its workers died while they ran it alone, on trial.
    pub crashes: u32,
    /// The event at the head may be what its workers died of: it runs only on trial, alone.
    pub suspect: bool,
    /// It is on trial: a worker runs it alone.
    pub on_trial: bool,
    /// The worker that runs the key.
    pub claim: Option<ClaimView>,
    /// `open`, `backing_off` or `halted`; [`Admin::UNREADABLE`](crate::admin::Admin::UNREADABLE) for a state that
    /// cannot be read.
    pub phase: String,
    /// When the event at the head is due, if it backs off.
    pub due: Option<Millis>,
    /// Whether the key is paused.
    pub paused: bool,
    /// When its pause ends by itself, if it does.
    pub paused_until: Option<Millis>,
    /// Whether its whole group is.
    pub group_paused: bool,
    /// What went wrong with the event at the head.
    pub last_error: Option<LastErrorView>,
    /// Since when events wait for one that has not come.
    pub gap_since: Option<Millis>,
    /// The last request for the event that has not come.
    pub repair: Option<RepairView>,
    /// The events that wait for their turn, in order; at most [`KeyView::MAX_EVENTS`] of them.
    pub held: Vec<HeldView>,
    /// The events that have no number yet, where the order comes from the producers, by producer and seq; at most
    /// [`KeyView::MAX_EVENTS`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingView>,
    /// What these wait for and has not come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<CauseView>,
    /// The producers whose silence holds the first of them, with Lamport times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<HolderView>,
    /// When it runs although nothing is heard of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_at: Option<Millis>,
    /// The producers of the key, where the order comes from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub producers: Vec<ProducerView>,
    /// How many events wait, for their turn or for their number.
    pub held_events: u64,
    /// The sum of their sizes.
    pub held_bytes: u64,
    /// The ranges beyond `last_seq` that will never come.
    pub absent: Vec<(u64, u64)>,
    /// The events that were dead-lettered, in order; at most [`KeyView::MAX_EVENTS`] of them.
    pub dead: Vec<DeadView>,
    /// How many events were dead-lettered.
    pub dead_events: u64,
    /// The time of the store when it was asked.
    pub now: Millis,
}

/// A worker's hold on a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClaimView {
    /// The worker.
    pub worker: String,
    /// Since when it has the key.
    pub since: Millis,
    /// Until when its lease is good; `None` when the store knows of no lease.
    pub lease_until: Option<Millis>,
    /// Somebody wants the key: the worker hands it over at the end of the event at work.
    pub hand_over: bool,
}

/// What went wrong with the event at the head of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastErrorView {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepairView {
    /// When it was asked for last.
    pub asked_at: Millis,
    /// How often it was asked for.
    pub times: u32,
}

/// One held event, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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

/// One event that waits for its number, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaitingView {
    /// Who sent it.
    pub producer: String,
    /// As which of the producer's events of the key.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Since when it waits.
    pub since: Millis,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Events of one producer that have not come, and that others wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CauseView {
    /// The producer.
    pub producer: String,
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// A producer that may still send something that comes before an event which waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderView {
    /// The producer.
    pub producer: String,
    /// The time of its clock, as it showed it last.
    pub time: u64,
    /// Since when nothing was heard of it.
    pub since: Millis,
}

/// How far one producer of a key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProducerView {
    /// Its name.
    pub producer: String,
    /// Up to here its events are done, have a number, or were passed over.
    pub seq: u64,
    /// How many of its events wait for their number.
    pub waiting: u64,
    /// The time of its clock, as it showed it last, with Lamport times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// Why it is not waited for: `left` or `silent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<String>,
}

/// One event that was dead-lettered, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// When it was dead-lettered.
    pub at: Millis,
    /// It is to be run again.
    pub replay: bool,
    /// How often it failed since then.
    pub replay_attempts: u32,
}

impl KeyView {
    /// How many held events, and how many dead letters, a view lists at the most.
    pub const MAX_EVENTS: usize = 1_000;
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
            Self::Stale => "stale",
        }
    }
}
