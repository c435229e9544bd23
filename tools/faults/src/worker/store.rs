use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordered_events::WorkerId;
use ordered_events::core::store::{Exchange, Group, Heartbeat, Opened, Request, Session};
use ordered_events::core::store::{Store, StoreError, Sweep, Swept};
use ordered_testkit::history::What;

use crate::journal::{self, Journal};

/// Writes down until when the worker's lease is good.
pub(super) struct Watched {
    pub(super) inner: Arc<dyn Store>,
    pub(super) journal: Journal,
}

#[async_trait]
impl Store for Watched {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        self.inner.open(group, worker).await
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        self.inner.exchange(group, session, requests).await
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        // The store counts from when the call arrives: its lease ends no sooner.
        let sent = journal::now();
        let beat = self.inner.heartbeat(group, session, lease).await?;
        self.journal.write(What::Leased {
            worker: session.worker.as_str().to_owned(),
            until: sent + u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        });
        Ok(beat)
    }

    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        self.inner.leave(group, session).await
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        self.inner.sweep(group, session, sweep).await
    }
}
