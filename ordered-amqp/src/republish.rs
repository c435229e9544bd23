use std::sync::Arc;

use ordered_core::transport::{Token, TransportError};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::outgoing::Outgoing;
use crate::session::{FAREWELL, Session};
use crate::shared::Shared;

/// Brings copies of deliveries to other queues, and then acknowledges the originals. A task of its own: deliveries
/// are not left halfway where the caller stops waiting.
///
/// Repeats what fails for as long as the originals are out: giving up would mean to hand them back to the queue, which
/// would deliver them again at once. When the session ends, the broker does that anyway. When the transport is closed,
/// an attempt that is under way is still finished, within [`FAREWELL`]: otherwise a copy that arrived would come again.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    session: Arc<Session>,
    copies: Vec<(Token, Outgoing)>,
) -> JoinHandle<Result<(), TransportError>> {
    let sending = shared.sending.clone();
    sending.spawn(send(shared, session, copies))
}

async fn send(
    shared: Arc<Shared>,
    session: Arc<Session>,
    mut copies: Vec<(Token, Outgoing)>,
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
    copies: Vec<(Token, Outgoing)>,
) -> Vec<(Token, Outgoing)> {
    let (tokens, messages): (Vec<Token>, Vec<Outgoing>) = copies.into_iter().unzip();
    let outcomes = shared.publisher.send(&messages).await;
    let sent = tokens.into_iter().zip(messages.into_iter().zip(outcomes));
    session.settle(
        sent,
        |_, acks, tag, (token, (message, outcome))| match outcome {
            Ok(()) => {
                acks.sent_elsewhere(tag);
                None
            }
            Err(error) => {
                let queue = message.routing_key.as_str();
                tracing::warn!(%error, queue, "cannot dead-letter an event; trying again");
                Some((token, message))
            }
        },
    )
}

fn unfinished(count: usize) -> TransportError {
    TransportError::unavailable(format!(
        "the transport is closed before {count} events were dead-lettered; the broker delivers them again"
    ))
}
