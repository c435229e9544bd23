use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Group, StoreError};
use crate::event::{Envelope, Key, Seq};
use crate::protocol::{DeadView, KeyView, Millis, Verb, Verdict};

/// What an operator can see of a store and do to it. A power of its own, apart from [`Store`](super::Store): a worker
/// needs none of it.
#[async_trait]
pub trait Admin: Send + Sync + 'static {
    /// The names of the groups, sorted.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn groups(&self) -> Result<Vec<String>, StoreError>;

    /// The group with the rules that its workers opened it with last; `None` when no worker ever did.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError>;

    /// The group as a whole. Looks at the keys that are not idle, page by page.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn overview(&self, group: &Group) -> Result<GroupView, StoreError>;

    /// Some of the keys that the filter lets through. Begin with an empty cursor, and go on with the page's until that is
    /// `None`. A key may be on two pages if it changes meanwhile.
    ///
    /// # Errors
    /// When the store cannot be reached, or the cursor is not one of its pages'.
    async fn keys(
        &self,
        group: &Group,
        filter: KeyFilter,
        cursor: Option<String>,
    ) -> Result<KeyPage, StoreError>;

    /// What is known of one key; `None` when nothing is.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn inspect(&self, group: &Group, key: &Key) -> Result<Option<KeyView>, StoreError>;

    /// A held event, or one that was put aside, whole; of an earlier numbering of the key where this one has none.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn event(
        &self,
        group: &Group,
        key: &Key,
        seq: Seq,
    ) -> Result<Option<Envelope>, StoreError>;

    /// Does the verb to the key, atomically, and writes it to the audit log; or, with `dry_run`, says what it would do.
    /// The verdict is [`Verdict::Operated`] or [`Verdict::Refused`].
    ///
    /// # Errors
    /// When the store cannot be reached; whether the verb was done is then not known.
    async fn operate(
        &self,
        group: &Group,
        key: &Key,
        verb: &Verb,
        operator: &Operator,
        dry_run: bool,
    ) -> Result<Verdict, StoreError>;

    /// Pauses the whole group, or resumes it, and writes it to the audit log. `false` when it was so already.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn pause_group(
        &self,
        group: &Group,
        paused: bool,
        operator: &Operator,
    ) -> Result<bool, StoreError>;

    /// The newest entries of the audit log, newest first.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;
}

/// Which keys to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFilter {
    /// All.
    All,
    /// Those that do not go on by themselves: halted, paused, backing off, waiting for an event that has not come, or
    /// with events that were put aside.
    Stuck,
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
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Whether it is paused.
    pub paused: bool,
    /// How many keys there are.
    pub keys: KeyCounts,
    /// How many events are held.
    pub held_events: u64,
    /// The sum of their sizes.
    pub held_bytes: u64,
    /// How many events were put aside by the store.
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
    /// All that were ever seen.
    pub all: u64,
    /// A worker has them.
    pub active: u64,
    /// Events of them are held.
    pub held: u64,
    /// They wait for an event that has not come.
    pub gap: u64,
    /// They failed and will be tried again.
    pub backing_off: u64,
    /// They are halted.
    pub halted: u64,
    /// They are paused.
    pub paused: u64,
}

/// A worker of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// An event that was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadEntry {
    /// Its key.
    pub key: String,
    /// The rest.
    #[serde(flatten)]
    pub dead: DeadView,
}

/// Who does something to a store, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Operator {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

/// What an operator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When, by the store's clock.
    pub at: Millis,
    /// Who, and why.
    #[serde(flatten)]
    pub operator: Operator,
    /// To which key; `None` for the whole group.
    pub key: Option<String>,
    /// The verb with its arguments, as the command line writes it.
    pub verb: String,
    /// What it did.
    pub outcome: String,
}
