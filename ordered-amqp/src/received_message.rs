use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::ShortString;

use crate::{headers, names};

/// A message as it was delivered, kept until it is settled: a dead letter or a deferred event is a copy of it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct ReceivedMessage {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}

impl ReceivedMessage {
    /// The exchange and the routing key that the producer published to; nothing where it published straight to the
    /// queue. A copy that came through one of our queues has them in headers.
    pub(crate) fn published_to(&self) -> Option<(String, String)> {
        if !self.exchange.as_str().is_empty() {
            let (exchange, key) = (self.exchange.as_str(), self.routing_key.as_str());
            return Some((exchange.to_owned(), key.to_owned()));
        }
        let table = self.properties.headers().as_ref()?.inner();
        let header = |name: &str| table.get(name).and_then(headers::as_text);
        let exchange = header(names::EXCHANGE).filter(|exchange| !exchange.is_empty())?;
        Some((exchange, header(names::ROUTING_KEY)?))
    }
}
