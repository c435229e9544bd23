use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::warn;

use crate::transport::{Settlement, Transport};

/// Reports the fate of deliveries to the transport; what comes while one report is under way goes out with the next.
pub(super) async fn settle(
    transport: Arc<dyn Transport>,
    mut settlements: mpsc::UnboundedReceiver<Vec<Settlement>>,
) {
    while let Some(mut batch) = settlements.recv().await {
        while let Ok(more) = settlements.try_recv() {
            batch.extend(more);
        }
        if let Err(error) = transport.settle(batch).await {
            warn!(%error, "the broker did not take the settlements; it will deliver those events again");
        }
    }
}
