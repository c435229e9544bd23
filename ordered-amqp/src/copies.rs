use std::sync::Arc;

use ordered_core::transport::TransportError;
use tokio::time::sleep;

use crate::outgoing::Outgoing;
use crate::session::{FAREWELL, Session};
use crate::shared::Shared;

/// Brings copies of deliveries to other queues, and then acknowledges the originals.
///
/// Repeats what fails for as long as the originals are out: giving up would mean to hand them back to the queue,
/// which would deliver them again at once. When the session ends, the broker does that anyway. When the transport is closed,
/// an attempt that is under way is still finished, within [`FAREWELL`]: otherwise a copy that arrived would come again.
pub(crate) async fn send(
    shared: Arc<Shared>,
    session: Arc<Session>,
    mut copies: Vec<(u64, Outgoing)>,
) -> Result<(), TransportError> {
    let mut backoff = shared.broker.backoff();
    while !copies.is_empty() {
        let count = copies.len();
        let farewell = async {
            shared.closing().await;
            sleep(FAREWELL).await;
        };
        tokio::select! {
            biased;
            () = session.died() => return Ok(()),
            failed = attempt(&shared, &session, copies) => copies = failed,
            () = farewell => return Err(unfinished(count)),
        }
        if copies.is_empty() {
            break;
        }
        tokio::select! {
            () = sleep(backoff.next()) => {}
            () = session.died() => return Ok(()),
            () = shared.closing() => return Err(unfinished(count)),
        }
    }
    Ok(())
}

/// Sends each once; gives back those that have to be sent again.
async fn attempt(
    shared: &Shared,
    session: &Session,
    copies: Vec<(u64, Outgoing)>,
) -> Vec<(u64, Outgoing)> {
    let (tags, messages): (Vec<u64>, Vec<Outgoing>) = copies.into_iter().unzip();
    let outcomes = shared.outlet.send(&messages).await;
    let mut failed = Vec::new();
    session.settle(|acks| {
        for ((tag, message), outcome) in tags.into_iter().zip(messages).zip(outcomes) {
            match outcome {
                Ok(()) => acks.sent_elsewhere(tag),
                Err(error) => {
                    let queue = message.routing_key.as_str();
                    tracing::warn!(%error, queue, "cannot dead-letter an event; trying again");
                    failed.push((tag, message));
                }
            }
        }
    });
    failed
}

fn unfinished(count: usize) -> TransportError {
    TransportError::unavailable(format!(
        "the transport is closed before {count} events were dead-lettered; the broker delivers them again"
    ))
}
