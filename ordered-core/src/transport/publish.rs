use std::sync::Arc;

use async_trait::async_trait;

use super::TransportError;
use crate::event::Envelope;
use crate::publish::Outgoing;

/// Whether a broker takes events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// It does, as far as is known.
    Open,
    /// It has said that it takes none for now: it is short of memory or disk, for instance.
    Blocked {
        /// What it said.
        why: String,
    },
}

/// Sends events to the queue that a [`Transport`](super::Transport) consumes: one attempt, and what happened to each
/// event.
///
/// Applications use it through a [`Publisher`](crate::publish::Publisher), which keeps the order of a key and sends
/// again what failed. An implementation does neither: it sends what it is given, in order, once.
///
/// Certified by the publisher suite of `ordered-testkit`.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no publisher",
    note = "use `MemoryBroker`, the `publisher()` of `Amqp`, `Sqs` or `Kafka`, or implement \
            `ordered_core::transport::Publish`"
)]
pub trait Publish: Send + Sync + 'static {
    /// Sends the events in order, and returns once it is known of each whether the broker has confirmed it. The
    /// outcomes are in the order of the events.
    ///
    /// Of an outcome that is an error [the kind](super::TransportErrorKind) counts: `Unavailable` where it is not
    /// known, or the broker is not there; `Busy` where it refuses the event for now, or holds back; `Fatal` where it
    /// will never take this event.
    ///
    /// # Cancel safety
    /// When the future is dropped, any of the events may have been sent.
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>>;

    /// Whether the broker has said that it takes nothing for now. Called often: it does not ask the broker.
    fn flow(&self) -> Flow {
        Flow::Open
    }

    /// Sends the events in one attempt, in order, and returns once the broker has confirmed all of them. Nothing is
    /// sent again.
    ///
    /// # Errors
    /// When the broker did not confirm them all; some may have been taken.
    async fn publish(&self, envelopes: Vec<Envelope>) -> Result<(), TransportError> {
        let events: Vec<Outgoing> = envelopes.into_iter().map(Outgoing::from).collect();
        self.send(&events).await.into_iter().collect()
    }
}

#[async_trait]
impl<P: Publish + ?Sized> Publish for Arc<P> {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        (**self).send(events).await
    }

    fn flow(&self) -> Flow {
        (**self).flow()
    }
}
