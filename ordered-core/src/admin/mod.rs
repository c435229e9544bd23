//! What operators see of a group and do to it, over any store that can be [inspected](Inspect).
//!
//! An operator decides about a key as a worker does: it owns the key for a moment, decides with the protocol, saves
//! what it decided, and gives the key up.

mod before;
mod bulk;
mod cause;
mod causes;
mod decision;
mod group_view;
mod keys;
mod letters;
mod operate;
mod operator_session;
mod plan;
mod positions;
mod selection;
mod stored;
mod stored_event;
mod view;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

pub use before::{EventStatus, EventsBefore, Pace};
pub use bulk::{Bulk, KeyTask, TaskOutcome};
pub use cause::{Cause, CauseExample};
pub use group_view::{
    DeadEntry, GroupView, KeyCounts, KeyFilter, KeyPage, WorkerView, WorkersView,
};
pub use operate::{OperateError, OperateOptions};
pub use operator_session::OPERATOR_LEASE;
pub use plan::{Plan, PlannedTask};
pub use positions::Position;
#[doc(hidden)]
pub use selection::matches_pattern;
pub use selection::{BulkVerb, Selection};
pub use stored_event::{DeadLetter, EpochSeq, StoredEvent, StoredKind};

use crate::event::Key;
use crate::protocol::{Arrival, CorruptBody, KeyState, Moved, Order, Transition};
use crate::protocol::{Verb, WorkerId};
use crate::store::{AuditEntry, Group, Operator, StoreError};
use crate::store::{Inspect, KeyIndex, Record};

/// What operators see of the groups of a store and do to them.
///
/// # Errors
/// Every method fails when the store is unavailable.
#[derive(Clone)]
pub struct Admin {
    store: Arc<dyn Inspect>,
}

impl Admin {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Inspect>) -> Self {
        Self { store }
    }

    /// The names of the groups, sorted.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn groups(&self) -> Result<Vec<String>, StoreError> {
        self.store.groups().await
    }

    /// The group with the rules that its workers opened it with last; `None` when no worker ever did.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        self.store.group(name).await
    }

    /// The workers that have a lease, good or over, sorted by name. Looks at all keys that are owned, page by page.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn workers(&self, group: &Group) -> Result<WorkersView, StoreError> {
        let mut keys: HashMap<WorkerId, u64> = HashMap::new();
        let mut cursor = None;
        loop {
            let page = self.store.page(group, KeyIndex::Owned, cursor).await?;
            let owners = page.records.into_iter().filter_map(|record| record.owner);
            owners.for_each(|owner| *keys.entry(owner.worker).or_default() += 1);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        self.workers_with(group, &keys).await
    }

    async fn workers_with(
        &self,
        group: &Group,
        keys: &HashMap<WorkerId, u64>,
    ) -> Result<WorkersView, StoreError> {
        let workers = self.store.workers(group).await?;
        let now = self.store.totals(group).await?.now;
        let view = |worker: crate::store::WorkerRecord| WorkerView {
            keys: keys.get(&worker.worker).copied().unwrap_or(0),
            id: worker.worker.as_str().to_owned(),
            lease_until: worker.lease_until,
            // Where nobody looks, the dead are not found: the lease says it too.
            alive: worker.alive && worker.lease_until > now,
            version: worker.version,
        };
        let workers = workers.into_iter().map(view).collect();
        Ok(WorkersView { workers, now })
    }

    /// Pauses the whole group, or resumes it, and writes it to the audit log. `false` when it was so already.
    ///
    /// # Errors
    /// When the store is unavailable. The group may be paused all the same.
    pub async fn pause_group(
        &self,
        group: &Group,
        paused: bool,
        operator: &Operator,
    ) -> Result<bool, StoreError> {
        let changed = self.store.set_paused(group, paused).await?;
        if changed {
            let verb = if paused { Verb::Pause } else { Verb::Resume };
            let entry = AuditEntry {
                at: 0,
                operator: operator.clone(),
                key: None,
                verb: verb.to_string(),
                outcome: "the whole group".into(),
            };
            self.store.log(group, entry).await?;
        }
        Ok(changed)
    }

    /// The newest entries of the audit log, newest first.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit(group, limit).await
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The state of a key, with the mail that its owner has not taken in.
fn state_of(group: &Group, record: &Record) -> Result<KeyState, CorruptBody> {
    let mut state = match &record.body {
        Some(body) => KeyState::decode(body, record.body_fence)?,
        None => KeyState::new(group.policy().first_seq),
    };
    let mut transition = Transition::new(&mut state, group.policy(), record.now);
    if let Some(owner) = &record.owner {
        transition.take_mail(&owner.mail);
        if !group.policy().order.waits_for_missing() {
            transition.watch_gap(false);
        }
    }
    Ok(state)
}

/// Where the letters lie that were posted without a number, by the numbers that they have in [`state_of`].
fn posted_of(group: &Group, record: &Record) -> Vec<Moved> {
    let Some(owner) = record
        .owner
        .as_ref()
        .filter(|_| group.policy().order == Order::Arrival)
    else {
        return Vec::new();
    };
    let body = record.body.as_ref();
    let state = body.map(|body| KeyState::decode(body, record.body_fence));
    let state = state.unwrap_or_else(|| Ok(KeyState::new(group.policy().first_seq)));
    state.map_or_else(
        |_| Vec::new(),
        |mut state| Arrival::number(&mut state, 0, &owner.mail, &[]),
    )
}

/// The error of a key whose body cannot be decoded.
fn unreadable(key: &Key, error: &CorruptBody) -> StoreError {
    StoreError::refused(format!("key {key:?}: {error}"))
}
