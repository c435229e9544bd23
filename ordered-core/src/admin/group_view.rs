use serde::{Deserialize, Serialize};

use crate::protocol::{DeadView, KeyView, Millis, Order};

/// Which keys to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFilter {
    /// All.
    All,
    /// Those that do not go on by themselves: halted, paused, backing off, waiting for an event that has not come, or
    /// with events that were dead-lettered.
    Stuck,
    /// Those of which the store keeps events: such as wait, or such as were dead-lettered.
    Kept,
}

/// Some keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<KeyView>,
    /// Where the next page begins; `None` at the end.
    pub cursor: Option<String>,
}

/// A group as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// In which order the events of its keys run.
    pub order: Order,
    /// Whether it is paused.
    pub paused: bool,
    /// How many keys there are.
    pub keys: KeyCounts,
    /// How many events are held.
    pub held_events: u64,
    /// The sum of their sizes.
    pub held_bytes: u64,
    /// How many events were dead-lettered by the store.
    pub dead_events: u64,
    /// The key that has waited longest for an event that has not come, and since when.
    pub oldest_gap: Option<(String, Millis)>,
    /// The workers that have a lease, good or over.
    pub workers: Vec<WorkerView>,
    /// The time of the store when it was asked.
    pub now: Millis,
}

/// How many keys of a group are in which state. A key can be in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyCounts {
    /// All of which something was saved. A key that a worker has just taken for the first time is not among them yet.
    pub all: u64,
    /// A worker has them.
    pub active: u64,
    /// Events of them are held.
    pub held: u64,
    /// They wait for an event that has not come.
    pub gap: u64,
    /// They failed and will be tried again.
    pub backing_off: u64,
    /// Their workers died, maybe of the event at the head, which runs alone therefore.
    pub suspect: u64,
    /// They are halted.
    pub halted: u64,
    /// They are paused.
    pub paused: u64,
}

/// A worker of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerView {
    /// Its name.
    pub id: String,
    /// Until when its lease is good.
    pub lease_until: Millis,
    /// Whether that lies ahead.
    pub alive: bool,
    /// The version of `ordered` that it runs.
    pub version: String,
    /// How many keys it has.
    pub keys: u64,
}

/// The workers of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkersView {
    /// The workers.
    pub workers: Vec<WorkerView>,
    /// The time of the store when it was asked.
    pub now: Millis,
}

/// An event that was dead-lettered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadEntry {
    /// Its key.
    pub key: String,
    /// The rest.
    #[serde(flatten)]
    pub dead: DeadView,
}
