//! A store with something around its batches.

use std::time::Duration;

use ordered_core::protocol::{Command, Verdict, WorkerId};
use ordered_core::store::{Group, MemoryStore, Store, StoreError, StoreReport, Swept};

type Before = Box<dyn Fn(&[Command]) + Send + Sync>;
type After = Box<dyn Fn(&mut Vec<Verdict>) + Send + Sync>;

pub(crate) struct Around {
    store: MemoryStore,
    before: Before,
    /// How long the answer is on its way.
    takes: Duration,
    after: After,
}

impl Around {
    pub(crate) fn new(store: &MemoryStore) -> Self {
        Self {
            store: store.clone(),
            before: Box::new(|_| {}),
            takes: Duration::ZERO,
            after: Box::new(|_| {}),
        }
    }

    pub(crate) fn before(mut self, before: impl Fn(&[Command]) + Send + Sync + 'static) -> Self {
        self.before = Box::new(before);
        self
    }

    pub(crate) fn takes(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    pub(crate) fn after(
        mut self,
        after: impl Fn(&mut Vec<Verdict>) + Send + Sync + 'static,
    ) -> Self {
        self.after = Box::new(after);
        self
    }
}

#[async_trait::async_trait]
impl Store for Around {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<StoreReport, StoreError> {
        self.store.open(group, worker).await
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        (self.before)(commands);
        let mut verdicts = self.store.apply(group, worker, commands).await?;
        tokio::time::sleep(self.takes).await;
        (self.after)(&mut verdicts);
        Ok(verdicts)
    }

    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError> {
        self.store.heartbeat(group, worker, lease).await
    }

    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        self.store.leave(group, worker).await
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Swept, StoreError> {
        self.store.sweep(group, limit).await
    }
}
