use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordered_events::Key;
use ordered_events::WorkerId;
use ordered_events::core::protocol::{Command, KeyView, Verdict};
use ordered_events::core::store::{Group, Store, StoreError, StoreReport};
use ordered_testkit::history::What;

use crate::journal::{self, Journal};

/// Writes down until when the worker's lease is good.
pub(super) struct Watched {
    pub(super) inner: Arc<dyn Store>,
    pub(super) journal: Journal,
}

#[async_trait]
impl Store for Watched {
    async fn open(&self, group: &Group) -> Result<StoreReport, StoreError> {
        self.inner.open(group).await
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        self.inner.apply(group, worker, commands).await
    }

    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError> {
        // The store counts from when the call arrives: its lease ends no sooner.
        let sent = journal::now();
        self.inner.heartbeat(group, worker, lease).await?;
        self.journal.write(What::Leased {
            worker: worker.as_str().to_owned(),
            until: sent + u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        });
        Ok(())
    }

    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        self.inner.leave(group, worker).await
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Vec<Key>, StoreError> {
        self.inner.sweep(group, limit).await
    }

    async fn inspect(&self, group: &Group, key: &Key) -> Result<Option<KeyView>, StoreError> {
        self.inner.inspect(group, key).await
    }
}
