use std::sync::Arc;

use async_trait::async_trait;
use ordered_core::event::Envelope;
use ordered_core::transport::{Publish, TransportError};

use crate::link::Link;
use crate::publish::publish;

/// Publishes events to a queue, ten with a call. Clones share the connections.
///
/// Events go out in order on a FIFO queue, unless the queue takes only a part of a call: the rest is then sent again,
/// behind it. Whatever fails that may pass is tried again for some seconds, so that an event may be there twice on a
/// standard queue.
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
    async fn publish(&self, envelopes: Vec<Envelope>) -> Result<(), TransportError> {
        publish(&self.link, envelopes).await
    }
}
