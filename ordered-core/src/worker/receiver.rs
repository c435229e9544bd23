use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::telemetry::Telemetry;
use crate::transport::{Delivery, Transport, TransportError};

/// Takes deliveries from the transport while there is room, and never more than there is room for.
pub(super) struct DeliveryReceiver {
    pub(super) transport: Arc<dyn Transport>,
    /// One permit for each delivery that may still be taken; given back when one is settled.
    pub(super) room: Arc<Semaphore>,
    pub(super) deliveries: mpsc::Sender<Vec<Delivery>>,
    pub(super) telemetry: Arc<Telemetry>,
}

impl DeliveryReceiver {
    /// Goes on until the transport fails permanently or the worker is gone.
    pub(super) async fn run(self) -> Result<(), TransportError> {
        while let Ok(permit) = self.room.acquire().await {
            permit.forget();
            let more = self.room.available_permits();
            let room = match u32::try_from(more)
                .ok()
                .and_then(|more| self.room.try_acquire_many(more).ok())
            {
                Some(permits) => {
                    permits.forget();
                    more + 1
                }
                None => 1,
            };
            let deliveries = self.transport.receive(room).await?;
            self.telemetry.deliveries.received(deliveries.len());
            self.room.add_permits(room.saturating_sub(deliveries.len()));
            if self.deliveries.send(deliveries).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}
