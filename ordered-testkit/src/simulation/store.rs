use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::protocol::{Command, Verdict, WorkerId};
use ordered_core::store::{Admin, Group, MemoryStore, Store, StoreError, StoreReport, Swept};

use super::fleet::{Ice, LEASE};
use super::recorder::Recorder;
use super::seen;

/// One worker's way to the store: slow, lossy, and frozen with the worker.
#[derive(Clone)]
pub(super) struct FaultyStore {
    pub(super) inner: Arc<dyn Store>,
    /// The store itself, to see what a call has done.
    pub(super) eyes: MemoryStore,
    pub(super) recorder: Recorder,
    pub(super) ice: Ice,
}

impl FaultyStore {
    /// On the way there.
    async fn leave_for_store(&self) -> Result<(), StoreError> {
        self.ice.thawed().await;
        self.recorder
            .dawdle(self.recorder.faults().slow_store / 2)
            .await;
        if self.recorder.is_store_away() {
            return Err(StoreError::unavailable("simulated: the store is away"));
        }
        if self.recorder.chance(self.recorder.faults().lost_calls) {
            return Err(StoreError::unavailable("simulated: the call is lost"));
        }
        Ok(())
    }

    /// On the way back.
    async fn come_back(&self) -> Result<(), StoreError> {
        if self.recorder.chance(self.recorder.faults().lost_replies) {
            return Err(StoreError::unavailable("simulated: the reply is lost"));
        }
        self.recorder
            .dawdle(self.recorder.faults().slow_store / 2)
            .await;
        self.ice.thawed().await;
        Ok(())
    }

    async fn apply_one(
        &self,
        group: &Group,
        worker: &WorkerId,
        command: &Command,
    ) -> Result<Vec<Verdict>, StoreError> {
        let Command { key, action } = command;
        let before = self.eyes.inspect(group, key).await?;
        let said = std::slice::from_ref(command);
        let verdicts = self.inner.apply(group, worker, said).await?;
        let after = self.eyes.inspect(group, key).await?;
        let lines = seen::lines(group, worker, (key, action), [before, after], &verdicts);
        lines.into_iter().for_each(|line| self.recorder.write(line));
        Ok(verdicts)
    }

    /// The call reaches the store when the worker has long given it up.
    fn straggle(&self, group: &Group, worker: &WorkerId, commands: &[Command]) {
        let (way, group, worker) = (self.clone(), group.clone(), worker.clone());
        let commands = commands.to_vec();
        tokio::spawn(async move {
            way.recorder.dawdle(LEASE).await;
            for command in &commands {
                let _ = way.apply_one(&group, &worker, command).await;
            }
        });
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<StoreReport, StoreError> {
        self.inner.open(group, worker).await
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        self.leave_for_store().await?;
        if self.recorder.chance(self.recorder.faults().stragglers) {
            self.straggle(group, worker, commands);
            return Err(StoreError::unavailable("simulated: no reply in time"));
        }
        // A connection that breaks in the middle leaves a part applied.
        let part = self.recorder.chance(self.recorder.faults().lost_replies);
        let count = if part {
            self.recorder.pick(commands.len() + 1)
        } else {
            commands.len()
        };
        let mut verdicts = Vec::with_capacity(count);
        for command in &commands[..count] {
            verdicts.extend(self.apply_one(group, worker, command).await?);
        }
        if part {
            return Err(StoreError::unavailable("simulated: the connection broke"));
        }
        self.come_back().await?;
        Ok(verdicts)
    }

    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError> {
        self.leave_for_store().await?;
        self.inner.heartbeat(group, worker, lease).await?;
        self.recorder.beaten(worker.as_str(), lease);
        self.come_back().await
    }

    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        self.leave_for_store().await?;
        self.inner.leave(group, worker).await?;
        self.come_back().await
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Swept, StoreError> {
        self.leave_for_store().await?;
        let swept = self.inner.sweep(group, limit).await?;
        self.come_back().await?;
        Ok(swept)
    }
}
