use std::sync::Arc;

use async_trait::async_trait;
use ordered_core::transport::{ConsumeOptions, Delivery, Settlement, Transport, TransportError};

use super::fleet::ProcessState;
use super::recorder::Recorder;

/// One worker's way to the broker.
pub(super) struct FaultyTransport {
    pub(super) inner: Arc<dyn Transport>,
    pub(super) recorder: Recorder,
    pub(super) process: ProcessState,
}

#[async_trait]
impl Transport for FaultyTransport {
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        self.inner.start(options).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        self.process.running().await;
        let deliveries = self.inner.receive(max).await?;
        self.process.running().await;
        Ok(deliveries)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        self.process.running().await;
        self.recorder
            .delay_up_to(self.recorder.faults().slow_store)
            .await;
        // A process that is dead settles nothing, though this one goes on.
        if self.process.is_dead() {
            return Ok(());
        }
        self.inner.settle(settlements).await
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.inner.close().await
    }
}
