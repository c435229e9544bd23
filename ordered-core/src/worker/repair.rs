use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use tracing::{info, warn};

use crate::event::{Key, Seq};
use crate::protocol::WorkerId;

/// Events of a key that have not come, although later ones have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingEvents {
    /// The group that waits for them.
    pub group: Arc<str>,
    /// The key.
    pub key: Key,
    /// Whose events they are, where the order of the group comes from the producers: the seqs are then those that this
    /// producer gave its events of the key. `None` where the seqs are those of the key.
    pub producer: Option<String>,
    /// The first seq.
    pub from: Seq,
    /// The last one.
    pub to: Seq,
    /// The worker that asks.
    pub worker: WorkerId,
}

/// Has missing events sent again, such as an outbox that keeps them. What `on_gap = "repair"` asks.
///
/// Where the order comes from the producers (`lamport`, `causal`), each gap of a producer is asked for by itself, and
/// an answer names the producer, too ([`GapFillOf`](super::Control::GapFillOf), [`LostOf`](super::Control::LostOf)).
///
/// Whoever is asked answers through the broker: sends the events again, or says that they will never come, with a
/// [gap-fill](super::Control::GapFill), or that they were there and [are lost](super::Control::Lost), which halts the
/// key.
#[async_trait]
pub trait Repair: Send + Sync + 'static {
    /// Asks for the events. To return means that the request was taken, not that it was carried out. The same request
    /// may come more than once, and from several workers.
    ///
    /// # Errors
    /// When the request was not taken. The worker logs it, and asks again later.
    ///
    /// # Cancel safety
    /// The request was taken or not.
    async fn ask(&self, missing: MissingEvents) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Whether it looks at the [producer](MissingEvents::producer) of what is asked for. Default: no, and a worker
    /// whose order comes from the producers does not start with it.
    fn knows_producers(&self) -> bool {
        false
    }
}

/// Asks in a task of its own. Nobody waits for it: where it fails, the key asks again.
pub(super) fn ask(repair: Arc<dyn Repair>, missing: MissingEvents) {
    tokio::spawn(async move {
        let MissingEvents {
            group,
            key,
            producer,
            ..
        } = missing.clone();
        let (from, to) = (missing.from.get(), missing.to.get());
        match repair.ask(missing).await {
            Ok(()) => info!(
                group = &*group,
                key = key.as_str(),
                producer,
                from,
                to,
                "asked for events that have not come"
            ),
            Err(error) => warn!(
                group = &*group,
                key = key.as_str(),
                producer,
                from,
                to,
                error,
                "cannot ask for events that have not come; the key asks again later"
            ),
        }
    });
}
