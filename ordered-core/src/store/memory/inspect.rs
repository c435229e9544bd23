use std::collections::BTreeSet;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Bucket, GroupState};
use crate::event::Key;
use crate::protocol::{Millis, WorkerId};
use crate::store::{AuditEntry, Group, StoreError};
use crate::store::{
    Inspect, KeyIndex, Letter, OwnerRecord, Record, RecordPage, Slot, Totals, WorkerRecord,
};

/// How many entries the audit log keeps.
const AUDIT_ENTRIES: usize = 10_000;

#[async_trait]
impl Inspect for MemoryStore {
    async fn groups(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.lock().groups.keys().cloned().collect())
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        let shared = self.lock();
        Ok(shared.groups.get(name).map(|state| state.group.clone()))
    }

    async fn totals(&self, group: &Group) -> Result<Totals, StoreError> {
        self.with_group(group.name(), |state, now| state.totals(now))
    }

    async fn workers(&self, group: &Group) -> Result<Vec<WorkerRecord>, StoreError> {
        self.with_group(group.name(), |state, now| state.workers(now))
    }

    async fn read(&self, group: &Group, key: &Key) -> Result<Option<Record>, StoreError> {
        self.with_group(group.name(), |state, now| state.bucket(key).read(key, now))
    }

    async fn page(
        &self,
        group: &Group,
        index: KeyIndex,
        _: Option<String>,
    ) -> Result<RecordPage, StoreError> {
        self.with_group(group.name(), |state, now| {
            let records = |bucket: &Bucket| -> Vec<Record> {
                let keys = bucket.keys(index);
                keys.iter()
                    .filter_map(|key| bucket.read(key, now))
                    .collect()
            };
            let mut records: Vec<Record> = state.buckets.iter().flat_map(records).collect();
            records.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            RecordPage {
                records,
                cursor: None,
            }
        })
    }

    async fn sizes(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        self.with_group(group.name(), |state, _| {
            let bucket = state.bucket(key);
            let size = |slot: &Slot| Some(bucket.letter(key, *slot)?.size());
            slots.iter().map(size).collect()
        })
    }

    async fn letters(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<Letter>>, StoreError> {
        self.with_group(group.name(), |state, _| {
            let bucket = state.bucket(key);
            let letter = |slot: &Slot| bucket.letter(key, *slot).cloned();
            slots.iter().map(letter).collect()
        })
    }

    async fn set_paused(&self, group: &Group, paused: bool) -> Result<bool, StoreError> {
        self.with_group(group.name(), |state, _| {
            let changes = state.paused != paused;
            state.paused = paused;
            changes
        })
    }

    async fn log(&self, group: &Group, entry: AuditEntry) -> Result<(), StoreError> {
        self.with_group(group.name(), |state, at| {
            if state.audit.len() == AUDIT_ENTRIES {
                state.audit.pop_front();
            }
            state.audit.push_back(AuditEntry { at, ..entry });
        })
    }

    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.with_group(group.name(), |state, _| {
            state.audit.iter().rev().take(limit).cloned().collect()
        })
    }
}

impl GroupState {
    fn totals(&self, now: Millis) -> Totals {
        let mut totals = Totals {
            paused: self.paused,
            now,
            ..Totals::default()
        };
        for bucket in &self.buckets {
            totals.keys += bucket.bodies.len() as u64;
            totals.owned += bucket.owners.len() as u64;
            totals.held_events += bucket.held.events;
            totals.held_bytes += bucket.held.bytes;
            for (key, listing) in &bucket.listings {
                totals.listed += u64::from(listing.due.is_some());
                totals.halted += u64::from(listing.halted.is_some());
                totals.gaps += u64::from(listing.gap.is_some());
                if let Some(since) = listing.gap {
                    let oldest = totals.oldest_gap.take();
                    let (key, since) = oldest
                        .filter(|(other, oldest)| (*oldest, other) < (since, key))
                        .unwrap_or_else(|| (key.clone(), since));
                    totals.oldest_gap = Some((key, since));
                }
            }
        }
        totals
    }

    /// A worker counts as alive where no bucket has found it dead.
    fn workers(&self, now: Millis) -> Vec<WorkerRecord> {
        let leases = self.buckets.iter().map(|bucket| &bucket.leases);
        let names: BTreeSet<&WorkerId> = leases
            .clone()
            .flat_map(|leases| leases.iter().map(|(worker, _)| worker))
            .collect();
        let record = |worker: &WorkerId| {
            let found = leases.clone().filter_map(|leases| leases.get(worker));
            WorkerRecord {
                worker: worker.clone(),
                lease_until: found
                    .clone()
                    .map(|lease| lease.until())
                    .max()
                    .unwrap_or_default(),
                alive: found.clone().all(|lease| lease.is_alive(now)),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }
        };
        names.into_iter().map(record).collect()
    }
}

impl Bucket {
    fn keys(&self, index: KeyIndex) -> BTreeSet<&Key> {
        match index {
            KeyIndex::All => self.bodies.keys().chain(self.owners.keys()).collect(),
            KeyIndex::Listed => {
                let listed = self.listings.iter();
                let listed = listed.filter(|(_, listing)| listing.due.is_some());
                listed.map(|(key, _)| key).collect()
            }
            KeyIndex::Owned => self.owners.keys().collect(),
        }
    }

    fn read(&self, key: &Key, now: Millis) -> Option<Record> {
        let (owner, body) = (self.owners.get(key), self.bodies.get(key));
        if owner.is_none() && body.is_none() {
            return None;
        }
        let owner = owner.map(|owner| OwnerRecord {
            worker: owner.worker.clone(),
            since: owner.since,
            lease_until: self.leases.get(&owner.worker).map(|lease| lease.until()),
            mail: owner.mail.clone(),
            hand_over: owner.hand_over,
        });
        Some(Record {
            key: key.clone(),
            owner,
            fence: self.last_fence(key),
            body_fence: self.body_fence(key),
            body: body.map(|body| body.bytes.clone()),
            now,
        })
    }

    fn letter(&self, key: &Key, slot: Slot) -> Option<&Letter> {
        self.mailboxes.get(key)?.get(slot)
    }
}
