mod acquire;
mod inspect;
mod lease;
mod mailbox;
mod remembered;
mod save;
mod state;
mod swept;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::state::{GroupState, Groups};
use super::{
    Answer, Exchange, Heartbeat, Incarnation, Opened, Request, Session, Store, Sweep, Swept,
};
use crate::clock::Clock;
use crate::protocol::{Millis, WorkerId};
use crate::store::{Durability, Group, StoreError, StoreReport, bucket_of};

/// A store in the memory of this process.
///
/// For tests, simulations and a first look. Clones share their state, so that several workers of one process can work
/// on it together. The state is gone with the process.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    // A std mutex: it is held for the time of a few map accesses, and never over an await.
    shared: Arc<Mutex<Shared>>,
    clock: Clock,
    buckets: u32,
}

#[derive(Debug, Default)]
struct Shared {
    groups: Groups,
    /// The last incarnation. It outlives the groups, so that no two lives of a state have the same one.
    incarnation: u64,
}

/// The state of a [`MemoryStore`] at one moment.
#[derive(Debug, Clone)]
pub struct MemorySnapshot(Groups);

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

    /// Spreads the keys over another number of buckets. To be called before the store is used.
    #[must_use]
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets.max(1);
        self
    }

    /// Forgets all groups, as a `FLUSHALL` would. Every session is lost.
    pub fn forget_everything(&self) {
        self.lock().groups.clear();
    }

    /// A copy of the state, for tests that lose the last moments.
    #[must_use]
    pub fn snapshot(&self) -> MemorySnapshot {
        MemorySnapshot(self.lock().groups.clone())
    }

    /// Goes back to an earlier state, as a server does that lost the last moments in a crash. Sessions of groups that
    /// existed then stay good.
    pub fn restore(&self, snapshot: MemorySnapshot) {
        self.lock().groups = snapshot.0;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on the state of a group, at the time of the store.
    fn with_group<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut GroupState, Millis) -> T,
    ) -> Result<T, StoreError> {
        let mut shared = self.lock();
        let state = shared.groups.get_mut(name);
        let state = state.ok_or_else(|| missing(name))?;
        Ok(act(state, self.clock.now()))
    }

    /// The same for a worker, whose session must be of this life of the state.
    fn with_session<T>(
        &self,
        group: &Group,
        session: &Session,
        act: impl FnOnce(&mut GroupState, Millis) -> T,
    ) -> Result<T, StoreError> {
        self.with_group(group.name(), |state, now| {
            if state.incarnation == session.incarnation {
                Ok(act(state, now))
            } else {
                Err(replaced(group.name()))
            }
        })?
    }
}

fn missing(group: &str) -> StoreError {
    StoreError::state_lost(format!("the store has no state of the group {group:?}"))
}

fn replaced(group: &str) -> StoreError {
    StoreError::state_lost(format!(
        "the state of the group {group:?} was lost, and another one has taken its place"
    ))
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        let mut shared = self.lock();
        let created = !shared.groups.contains_key(group.name());
        if created {
            shared.incarnation += 1;
            let incarnation = Incarnation(shared.incarnation);
            let state = GroupState::new(group.clone(), incarnation, self.buckets);
            shared.groups.insert(group.name().to_owned(), state);
        }
        let state = shared.groups.get_mut(group.name());
        let state = state.ok_or_else(|| missing(group.name()))?;
        group.check_order(state.group.policy().order.as_str())?;
        group.check_first_seq(state.group.policy().first_seq)?;
        state.group = group.clone();
        Ok(Opened {
            session: Session {
                worker: worker.clone(),
                incarnation: state.incarnation,
            },
            report: StoreReport {
                durability: Durability::Volatile,
                reason:
                    "the store is in this process' memory: its state is gone when the process ends"
                        .into(),
            },
            created,
        })
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        debug_assert!(names_each_key_once(requests), "a key is named twice");
        self.with_session(group, session, |state, now| {
            let answer = |request: &Request| -> Answer {
                let bucket = state.bucket_mut(request.key());
                let rules = bucket.rules(group, now);
                match request {
                    Request::Acquire(acquire) => bucket.acquire(rules, &session.worker, acquire),
                    Request::Save(save) => bucket.save(rules, &session.worker, save),
                }
            };
            let answers = requests.iter().map(answer).collect();
            Exchange {
                now,
                paused: state.paused,
                answers,
            }
        })
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        let length = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        self.with_session(group, session, |state, now| {
            for bucket in &mut state.buckets {
                bucket.leases.beat(&session.worker, length, now);
            }
            Heartbeat {
                now,
                paused: state.paused,
            }
        })
    }

    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        self.with_session(group, session, |state, _| {
            for bucket in &mut state.buckets {
                bucket.leases.remove(&session.worker);
            }
        })
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        self.with_session(group, session, |state, now| state.sweep(sweep, now))
    }
}

fn names_each_key_once(requests: &[Request]) -> bool {
    let mut keys: Vec<_> = requests.iter().map(Request::key).collect();
    keys.sort_unstable();
    keys.windows(2).all(|pair| pair[0] != pair[1])
}
