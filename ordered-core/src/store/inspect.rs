use async_trait::async_trait;
use bytes::Bytes;

use super::{Letter, Slot, Store};
use crate::event::Key;
use crate::protocol::{Fence, Millis, WorkerId};
use crate::store::{AuditEntry, Group, StoreError};

/// What operators read of a store. A power of its own, apart from [`Store`]: a worker needs none of it.
#[async_trait]
pub trait Inspect: Store {
    /// The names of the groups, sorted.
    async fn groups(&self) -> Result<Vec<String>, StoreError>;

    /// The group with the rules that its workers opened it with last; `None` when no worker ever did.
    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError>;

    /// The numbers of the group that need no look at its keys.
    async fn totals(&self, group: &Group) -> Result<Totals, StoreError>;

    /// The workers with a lease, good or over, sorted by name.
    async fn workers(&self, group: &Group) -> Result<Vec<WorkerRecord>, StoreError>;

    /// The record of a key; `None` when nothing is known of it.
    async fn read(&self, group: &Group, key: &Key) -> Result<Option<Record>, StoreError>;

    /// Some of the keys of an index. Begin with no cursor, and go on with the page's until that is `None`. A key may be
    /// on two pages if it changes meanwhile.
    async fn page(
        &self,
        group: &Group,
        index: KeyIndex,
        cursor: Option<String>,
    ) -> Result<RecordPage, StoreError>;

    /// How many bytes the letter in each of the slots has: id, note and data. `None` for an empty slot.
    async fn sizes(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<u64>>, StoreError>;

    /// What is in the slots.
    async fn letters(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<Letter>>, StoreError>;

    /// Pauses the group, or resumes it. `false` when it was so already.
    async fn set_paused(&self, group: &Group, paused: bool) -> Result<bool, StoreError>;

    /// Adds an entry to the audit log, with the store's time in place of the entry's. The log keeps a bounded number of
    /// entries.
    async fn log(&self, group: &Group, entry: AuditEntry) -> Result<(), StoreError>;

    /// The same for several entries, in order; a store that can writes them in one exchange.
    async fn log_all(&self, group: &Group, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        for entry in entries {
            self.log(group, entry).await?;
        }
        Ok(())
    }

    /// The newest entries of the audit log, newest first.
    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;
}

/// Which keys to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyIndex {
    /// All that a body was ever saved of, and all that are owned.
    All,
    /// Those that are listed ([`Listing::due`](super::Listing::due)).
    Listed,
    /// Those that a worker owns.
    Owned,
}

/// Some keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// Their records.
    pub records: Vec<Record>,
    /// Where the next page begins; `None` at the end.
    pub cursor: Option<String>,
}

/// What a store keeps of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Key,
    /// The worker that owns it.
    pub owner: Option<OwnerRecord>,
    /// The fence of the last grant.
    pub fence: Fence,
    /// The fence of the grant under which the body was saved, which it is decoded with.
    pub body_fence: Fence,
    /// The body.
    pub body: Option<Bytes>,
    /// The time of the store when it was asked.
    pub now: Millis,
}

/// The ownership of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRecord {
    /// The worker.
    pub worker: WorkerId,
    /// Since when, by the store's clock.
    pub since: Millis,
    /// Until when its lease is good if no heartbeat comes; `None` when the store knows of no lease.
    pub lease_until: Option<Millis>,
    /// The seqs that were posted and that the owner was not told of.
    pub mail: Vec<u64>,
    /// Somebody wants the key.
    pub hand_over: bool,
}

/// The numbers of a group that need no look at its keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Whether it is paused.
    pub paused: bool,
    /// How many keys a body was saved of.
    pub keys: u64,
    /// How many keys are owned; a body need not be saved of them.
    pub owned: u64,
    /// How many are listed.
    pub listed: u64,
    /// How many are halted.
    pub halted: u64,
    /// How many wait for an event that has not come.
    pub gaps: u64,
    /// The one that has waited longest, and since when.
    pub oldest_gap: Option<(Key, Millis)>,
    /// How many events are held.
    pub held_events: u64,
    /// The sum of their sizes.
    pub held_bytes: u64,
    /// The time of the store when it was asked.
    pub now: Millis,
}

/// A worker with a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRecord {
    /// Its name.
    pub worker: WorkerId,
    /// Until when its lease is good if no heartbeat comes.
    pub lease_until: Millis,
    /// Whether it counts as alive.
    pub alive: bool,
    /// The version of `ordered` that it runs.
    pub version: String,
}
