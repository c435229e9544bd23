use std::fmt;

use async_trait::async_trait;
use lapin::types::ShortString;
use ordered_core::event::Envelope;
use ordered_core::transport::{Publish, TransportError};

use crate::broker::Broker;
use crate::envelope;
use crate::failure::away;
use crate::frame::TooLarge;
use crate::outgoing::Outgoing;
use crate::outlet::{NotSent, Outlet};
use crate::topology::Topology;

/// Publishes events, persistently and with the broker's confirm.
///
/// Many calls may run at once: each has a channel for itself, on one connection. While the broker is short of memory
/// or disk, calls wait.
pub struct AmqpPublisher {
    broker: Broker,
    topology: Option<Topology>,
    exchange: ShortString,
    routing_key: ShortString,
    outlet: Outlet,
}

impl AmqpPublisher {
    pub(crate) fn new(
        broker: Broker,
        exchange: ShortString,
        routing_key: ShortString,
        topology: Option<Topology>,
    ) -> Self {
        Self {
            broker: broker.clone(),
            topology: topology.clone(),
            exchange,
            routing_key,
            outlet: Outlet::new(broker, topology, "publisher"),
        }
    }

    pub(crate) fn to_queue(broker: Broker, topology: Topology) -> Self {
        let queue = topology.places.queue.clone();
        Self::new(broker, ShortString::default(), queue, Some(topology))
    }

    /// Connects now, and sees to it that the queue is there.
    pub(crate) async fn connected(self) -> Result<Self, TransportError> {
        let connection = self.broker.open("publisher").await?;
        if let Some(topology) = &self.topology {
            topology.ensure(&connection, &self.broker.address).await?;
        }
        self.outlet.adopt(connection).await;
        Ok(self)
    }

    /// Closes the connection, if there is one. Publishing afterwards makes a new one.
    pub async fn close(&self) {
        self.outlet.close().await;
    }

    fn error(&self, reason: NotSent) -> TransportError {
        let (exchange, key) = (self.exchange.as_str(), self.routing_key.as_str());
        match reason {
            NotSent::Lost(error) => away(&self.broker.address, error),
            NotSent::Unconfirmed => TransportError::unavailable(format!(
                "RabbitMQ at {} has not confirmed what was published: publish it again; if that goes on, see whether the \
                 queue has a leader (`rabbitmq-queues quorum_status`)",
                self.broker.address
            )),
            NotSent::Unroutable => TransportError::fatal(format!(
                "no queue takes what is published to the exchange {exchange:?} with the routing key {key:?}: \
                 declare the queue, or bind it"
            )),
            NotSent::TooLarge(TooLarge { bytes, limit }) => TransportError::fatal(format!(
                "the headers of an event have {bytes} bytes, and {limit} fit into a frame of RabbitMQ: put what is \
                 large into the body"
            )),
            NotSent::Refused => TransportError::unavailable(format!(
                "the queue behind the exchange {exchange:?} and the routing key {key:?} refused an event, as a full \
                 one does"
            )),
        }
    }
}

#[async_trait]
impl Publish for AmqpPublisher {
    async fn publish(&self, envelopes: Vec<Envelope>) -> Result<(), TransportError> {
        let messages: Result<Vec<Outgoing>, TransportError> = envelopes
            .into_iter()
            .map(|envelope| {
                Ok(Outgoing {
                    exchange: self.exchange.clone(),
                    routing_key: self.routing_key.clone(),
                    properties: envelope::to_properties(&envelope)?,
                    body: envelope.body,
                    delay: None,
                    is_copy: false,
                })
            })
            .collect();
        let outcomes = self.outlet.send(&messages?).await;
        outcomes
            .into_iter()
            .try_for_each(|outcome| outcome.map_err(|reason| self.error(reason)))
    }
}

impl fmt::Debug for AmqpPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpPublisher")
            .field("address", &self.broker.address)
            .field("exchange", &self.exchange.as_str())
            .field("routing_key", &self.routing_key.as_str())
            .finish_non_exhaustive()
    }
}
