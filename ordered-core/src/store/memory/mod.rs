mod admin;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    AuditEntry, Durability, Group, Store, StoreError, StoreReport, Stuck, Swept, bucket_of,
};
use crate::clock::Clock;
use crate::event::Key;
use crate::protocol::{
    BucketState, Command, KeyState, Phase, Situation, Verdict, WorkerId, decide, is_suspect,
    runnable, stuck_since,
};

/// A store in the memory of this process: [`decide`] behind a lock.
///
/// For tests, simulations and a first look. Clones share their state, so that several workers of one process can work
/// on it together; it is gone with the process.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    // A std mutex: it is held for the time of a few map accesses, and never over an await.
    shared: Arc<Mutex<Groups>>,
    clock: Clock,
    buckets: u32,
}

type Groups = BTreeMap<String, GroupState>;

#[derive(Debug)]
struct GroupState {
    group: Group,
    buckets: Vec<Bucket>,
    audit: Vec<AuditEntry>,
}

#[derive(Debug, Default)]
struct Bucket {
    state: BucketState,
    // Sorted, so that a sweep finds keys in an order that a seed can repeat.
    keys: BTreeMap<Key, KeyState>,
}

impl MemoryStore {
    /// Into how many buckets the keys of a group are spread.
    pub const BUCKETS: u32 = 16;

    /// An empty store on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// An empty store on another clock, for tests that step the time.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            shared: Arc::default(),
            clock,
            buckets: Self::BUCKETS,
        }
    }

    /// Spreads the keys over another number of buckets, as long as nothing was put in.
    #[must_use]
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets.max(1);
        self
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_group<T>(&self, group: &Group, act: impl FnOnce(&mut GroupState) -> T) -> T {
        let mut groups = self.lock();
        let state = groups
            .entry(group.name().to_owned())
            .or_insert_with(|| GroupState {
                group: group.clone(),
                buckets: (0..self.buckets).map(|_| Bucket::default()).collect(),
                audit: Vec::new(),
            });
        act(state)
    }

    fn with_buckets<T>(&self, group: &Group, act: impl FnOnce(&mut [Bucket]) -> T) -> T {
        self.with_group(group, |group| act(&mut group.buckets))
    }

    fn situation<'a>(&self, group: &'a Group, worker: &'a WorkerId) -> Situation<'a> {
        Situation {
            policy: group.policy(),
            bucket_quota: group.policy().group_quota.share(self.buckets),
            worker,
            now: self.clock.now(),
        }
    }

    fn place(&self, key: &Key) -> usize {
        bucket_of(key.as_str(), self.buckets) as usize
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, group: &Group, _: &WorkerId) -> Result<StoreReport, StoreError> {
        self.with_group(group, |state| state.group = group.clone());
        Ok(StoreReport {
            durability: Durability::Volatile,
            reason: "the store is in this process' memory: its state is gone when the process ends"
                .into(),
        })
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        let situation = self.situation(group, worker);
        Ok(self.with_buckets(group, |buckets| {
            let apply = |command: &Command| {
                let bucket = &mut buckets[self.place(&command.key)];
                let fresh = || KeyState::new(group.policy().first_seq);
                let key = bucket.keys.entry(command.key.clone());
                let key = key.or_insert_with(fresh);
                let verdict = decide(&mut bucket.state, key, situation, &command.action);
                // Asking about a key does not make it known.
                if *key == fresh() {
                    bucket.keys.remove(&command.key);
                }
                verdict
            };
            commands.iter().map(apply).collect()
        }))
    }

    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let expiry = self.clock.now().saturating_add(lease);
        self.with_buckets(group, |buckets| {
            for bucket in buckets {
                bucket.state.leases.insert(worker.clone(), expiry);
            }
        });
        Ok(())
    }

    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        self.with_buckets(group, |buckets| {
            for bucket in buckets {
                bucket.state.leases.remove(worker);
            }
        });
        Ok(())
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Swept, StoreError> {
        let (now, policy) = (self.clock.now(), group.policy());
        Ok(self.with_buckets(group, |buckets| {
            let mut swept = Swept::default();
            for bucket in buckets {
                for (key, state) in &bucket.keys {
                    swept.halted += u64::from(state.phase == Phase::Halted);
                    swept.oldest_gap = [swept.oldest_gap, state.gap_since]
                        .into_iter()
                        .flatten()
                        .min();
                    if swept.runnable.len() < limit && runnable(&bucket.state, state, policy, now) {
                        swept.runnable.push(key.clone());
                        if is_suspect(&bucket.state, state, policy, now) {
                            swept.suspects.push(key.clone());
                        }
                    }
                    if let Some(since) =
                        stuck_since(state, policy, now).filter(|_| swept.stuck.len() < limit)
                    {
                        swept.stuck.push(Stuck {
                            key: key.clone(),
                            seq: state.head(),
                            since,
                        });
                    }
                }
            }
            swept
        }))
    }
}
