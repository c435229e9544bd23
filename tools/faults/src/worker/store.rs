use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordered_events::core::store::{Group, Heartbeat, Session, Store, StoreError, WrapStore};
use ordered_testkit::history::What;

use crate::journal::{self, Journal};

/// Writes down until when the worker's lease is good.
pub(super) struct Watched {
    pub(super) inner: Arc<dyn Store>,
    pub(super) journal: Journal,
}

#[async_trait]
impl WrapStore for Watched {
    type Inner = dyn Store;

    fn inner(&self) -> &dyn Store {
        &*self.inner
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
}
