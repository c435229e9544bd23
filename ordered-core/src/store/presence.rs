use async_trait::async_trait;

use super::{Group, StoreError};
use crate::protocol::{Millis, WorkerId};

/// A process that consumes for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerPresence {
    /// The name of its worker.
    pub worker: WorkerId,
    /// A number that no other process has.
    pub process: u64,
    /// Where its events come from, where the transport has a name for that.
    pub source: Option<String>,
    /// It has not noted itself before: what is under its name may be of a process that it replaces.
    pub is_first: bool,
}

/// Who else consumes, as far as it may be a mistake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OtherConsumers {
    /// Another process has noted itself under the worker's name since this one did last.
    pub same_name: bool,
    /// Other groups that consume, or consumed, from the same source.
    pub groups: Vec<OtherConsumerGroup>,
}

/// A group that consumes, or consumed, from the same source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherConsumerGroup {
    /// Its name.
    pub name: String,
    /// When a process of it noted itself last, by the store's clock.
    pub seen_at: Millis,
}

/// What a store can know of those who use it, for warnings at start: an optional power of a [`Store`](super::Store). It
/// decides nothing.
#[async_trait]
pub trait Presence: Send + Sync {
    /// Notes that the process consumes, and says who else does. Called every few seconds.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn note(&self, group: &Group, me: &WorkerPresence) -> Result<OtherConsumers, StoreError>;
}
