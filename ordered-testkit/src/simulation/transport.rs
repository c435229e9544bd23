use std::sync::Arc;

use async_trait::async_trait;
use ordered_core::transport::{Delivery, Intake, Settlement, Transport, TransportError};

use super::fleet::Ice;
use super::recorder::Recorder;

/// One worker's way to the broker.
pub(super) struct FaultyTransport {
    pub(super) inner: Arc<dyn Transport>,
    pub(super) recorder: Recorder,
    pub(super) ice: Ice,
}

#[async_trait]
impl Transport for FaultyTransport {
    async fn start(&self, intake: Intake) -> Result<(), TransportError> {
        self.inner.start(intake).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        self.ice.thawed().await;
        let deliveries = self.inner.receive(max).await?;
        self.ice.thawed().await;
        Ok(deliveries)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        self.ice.thawed().await;
        self.recorder
            .dawdle(self.recorder.faults().slow_store)
            .await;
        // A process that is dead settles nothing, though this one goes on.
        if self.ice.is_dead() {
            return Ok(());
        }
        self.inner.settle(settlements).await
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.inner.close().await
    }
}
