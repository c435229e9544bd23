use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use crate::transport::{Disposition, Settlement, Transport};

/// Reports the disposition of deliveries to the transport; what comes while one report is under way goes out with the
/// next.
///
/// Acknowledgements are quick. What must first be safe with the broker elsewhere takes as long as the broker takes, and
/// goes its own way, so that no acknowledgement waits for it.
pub(super) async fn settle(
    transport: Arc<dyn Transport>,
    mut settlements: mpsc::UnboundedReceiver<Vec<Settlement>>,
) {
    let mut under_way = JoinSet::new();
    while let Some(mut batch) = settlements.recv().await {
        while let Ok(more) = settlements.try_recv() {
            batch.extend(more);
        }
        let (acks, moves): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|settlement| settlement.disposition == Disposition::Ack);
        if !moves.is_empty() {
            under_way.spawn(report(Arc::clone(&transport), moves));
        }
        if !acks.is_empty() {
            report(Arc::clone(&transport), acks).await;
        }
        while under_way.try_join_next().is_some() {}
    }
    under_way.join_all().await;
}

async fn report(transport: Arc<dyn Transport>, settlements: Vec<Settlement>) {
    if let Err(error) = transport.settle(settlements).await {
        warn!(%error, "the broker did not take the settlements; it will deliver those events again");
    }
}
