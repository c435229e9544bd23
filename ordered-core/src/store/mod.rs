//! Where the state of the keys lives, shared by all workers.

mod admin;
mod bucket;
mod error;
mod memory;
mod swept;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use admin::{
    Admin, AuditEntry, DeadEntry, GroupView, KeyCounts, KeyFilter, KeyPage, Operator, WorkerView,
};
pub use bucket::bucket_of;
pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use swept::{Stuck, Swept};

use crate::protocol::{Command, Policy, Verdict, WorkerId};

/// A logical consumer: each group has its own progress over the same events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    name: Arc<str>,
    policy: Policy,
}

impl Group {
    /// A group and its rules.
    #[must_use]
    pub fn new(name: impl AsRef<str>, policy: Policy) -> Self {
        Self {
            name: name.as_ref().into(),
            policy,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its rules.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// How much of what is written to the store outlives it, as it is configured now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// It is not known: the server does not let us look.
    Unknown,
    /// State may be dropped while the server runs, to make room.
    Evictable,
    /// State is gone when the server stops.
    Volatile,
    /// A crash of the server loses the last moments: those events may be handled again, or be missing from what was
    /// held.
    LosesMoments,
    /// Nothing that was acknowledged is lost on a crash.
    Durable,
}

/// What a store found out about itself when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    /// How much of it outlives a crash.
    pub durability: Durability,
    /// One sentence for the log that says why.
    pub reason: String,
}

/// Where the state of the keys lives, shared by all workers of a group.
///
/// A store applies the commands of the [protocol](crate::protocol), each atomically for its key, on a clock of its
/// own. It is certified by the suite of `ordered-testkit`, which holds it equal to [`MemoryStore`].
///
/// # Cancel safety
/// A future of a store may be dropped at any time; then, as after an error, it is unknown whether the commands were
/// applied. The caller repeats them: every command is idempotent.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store",
    note = "use `MemoryStore`, the `RedisStore` of the feature `redis`, or implement `ordered_core::store::Store`"
)]
pub trait Store: Send + Sync + 'static {
    /// Prepares the group, keeps its rules for operators to see, and says which guarantee the store's settings give.
    /// Called once by each worker, at start.
    ///
    /// # Errors
    /// [`StoreErrorKind::Refused`] when the group cannot be used like this, with what to do about it.
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<StoreReport, StoreError>;

    /// Applies the commands in order and answers each.
    ///
    /// # Errors
    /// Says nothing about which commands were applied; repeat them all.
    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError>;

    /// Makes the worker's claims good for `lease` from now, by the store's clock.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError>;

    /// Ends the worker's lease now, so that what it still has claimed is taken over at once.
    ///
    /// # Errors
    /// When the store cannot be reached; the lease then ends by itself.
    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError>;

    /// Finds keys that have something to run and nobody to run it (their worker died, or their retry is due), and keys
    /// that have waited too long for an event that does not come. At most about `limit` of each; changes no key. The
    /// worker then says [`Action::Claim`](crate::protocol::Action::Claim) of the first.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn sweep(&self, group: &Group, limit: usize) -> Result<Swept, StoreError>;
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Evictable => "state may be evicted",
            Self::Volatile => "gone when the server stops",
            Self::LosesMoments => "a crash loses the last moments",
            Self::Durable => "nothing lost on a crash",
        })
    }
}
