use std::sync::Arc;

use async_trait::async_trait;
use ordered_core::publish::Outgoing;
use ordered_core::transport::{Publish, TransportError};

use crate::link::Link;
use crate::publish::send;

/// Publishes events to a queue, ten with a call. Clones share the connections.
///
/// For a [`Publisher`](ordered_core::publish::Publisher), which keeps the order of a key and sends again what failed.
/// On a FIFO queue an event's key is its message group, and its id its deduplication id, unless the builder or a header
/// says otherwise.
#[derive(Debug, Clone)]
pub struct SqsPublisher {
    link: Arc<Link>,
}

impl SqsPublisher {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }
}

#[async_trait]
impl Publish for SqsPublisher {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        send(&self.link, events).await
    }
}
