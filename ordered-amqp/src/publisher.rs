use std::fmt;

use async_trait::async_trait;
use lapin::types::ShortString;
use ordered_core::publish::Outgoing as Event;
use ordered_core::transport::{Flow, Publish, TransportError};

use crate::broker::Broker;
use crate::envelope;
use crate::failure::{PRECONDITION_FAILED, reply_code, unavailable};
use crate::frame::TooLarge;
use crate::outgoing::Outgoing;
use crate::partitions::Partitions;
use crate::publisher_connection::{NotSent, PublisherConnection};
use crate::topology::Topology;

/// Publishes events, persistently and with the broker's confirm.
///
/// For a [`Publisher`](ordered_core::publish::Publisher), which keeps the order of a key and sends again what failed.
/// Many calls may run at once: each has a channel for itself, on one connection. While the broker is short of memory or
/// disk, nothing is sent, and calls answer that it is busy.
pub struct AmqpPublisher {
    broker: Broker,
    topology: Option<Topology>,
    exchange: ShortString,
    route: Route,
    publisher: PublisherConnection,
}

/// How the routing key of an event is found.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// It is the same for all.
    Fixed(ShortString),
    /// It is the key of the event.
    ByKey,
    /// It is what the partitions make of the event.
    Partitions(Partitions),
}

/// With which routing key events are published to an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoutingKey {
    /// The same for all, of 255 bytes at most.
    Fixed(String),
    /// The key of the event, for exchanges that route by it: topics, or hashes of the key.
    OfEvent,
}

impl From<String> for RoutingKey {
    fn from(key: String) -> Self {
        Self::Fixed(key)
    }
}

impl From<&str> for RoutingKey {
    fn from(key: &str) -> Self {
        Self::Fixed(key.to_owned())
    }
}

impl From<&String> for RoutingKey {
    fn from(key: &String) -> Self {
        Self::Fixed(key.clone())
    }
}

impl AmqpPublisher {
    pub(crate) fn new(
        broker: Broker,
        exchange: ShortString,
        route: Route,
        topology: Option<Topology>,
    ) -> Self {
        Self {
            broker: broker.clone(),
            topology: topology.clone(),
            exchange,
            route,
            publisher: PublisherConnection::new(broker, topology, "publisher"),
        }
    }

    pub(crate) fn to_queue(broker: Broker, topology: Topology) -> Self {
        let (exchange, route) = match &topology.partitions {
            Some(partitions) => (
                partitions.exchange.clone(),
                Route::Partitions(partitions.clone()),
            ),
            None => (
                ShortString::default(),
                Route::Fixed(topology.places.queue.clone()),
            ),
        };
        Self::new(broker, exchange, route, Some(topology))
    }

    /// Connects now, and sees to it that the queue is there.
    pub(crate) async fn connected(self) -> Result<Self, TransportError> {
        if let Some(topology) = &self.topology {
            topology.prepare(&self.broker).await?;
        }
        let connection = self.broker.open("publisher").await?;
        if let Some(topology) = &self.topology {
            topology.ensure(&connection, &self.broker.address).await?;
        }
        self.publisher.adopt(connection).await;
        Ok(self)
    }

    /// Closes the connection, if there is one. Publishing afterwards makes a new one.
    pub async fn close(&self) {
        self.publisher.close().await;
    }

    fn message(&self, event: &Event) -> Result<Outgoing, TransportError> {
        let routing_key = match &self.route {
            Route::Fixed(key) => key.clone(),
            Route::ByKey => routing_key_of(event)?,
            Route::Partitions(partitions) => partitions.routing_key(event),
        };
        let envelope = event.envelope();
        Ok(Outgoing {
            exchange: self.exchange.clone(),
            routing_key,
            properties: envelope::to_properties(envelope)?,
            body: envelope.body.clone(),
            delay: None,
            is_copy: false,
        })
    }

    /// An event that the broker will not have, because it is too large for instance, closes the channel for all that
    /// are on it, and the broker does not say which it was: they are sent again, each by itself.
    async fn find_refused(&self, sent: &[Outgoing], outcomes: &mut [Result<(), NotSent>]) {
        if sent.len() == 1 || !outcomes.iter().any(is_refusal) {
            return;
        }
        for (message, outcome) in sent.iter().zip(outcomes) {
            if is_refusal(outcome) {
                let mut alone = self.publisher.send(std::slice::from_ref(message)).await;
                *outcome = alone.pop().unwrap_or(Err(NotSent::Unconfirmed));
            }
        }
    }

    fn blocked(&self) -> String {
        let address = &self.broker.address;
        format!(
            "RabbitMQ at {address} is short of memory or disk, and takes no messages (`rabbitmq-diagnostics alarms`)"
        )
    }

    fn error(&self, reason: NotSent, routing_key: &ShortString) -> TransportError {
        let (exchange, key) = (self.exchange.as_str(), routing_key.as_str());
        match reason {
            NotSent::Lost(error) if reply_code(&error) == Some(PRECONDITION_FAILED) => {
                TransportError::fatal(format!(
                    "RabbitMQ refuses an event; one that is too large (`max_message_size`), for instance. It said: \
                     {error}"
                ))
            }
            NotSent::Lost(error) => unavailable(&self.broker.address, error),
            NotSent::Unconfirmed => TransportError::unavailable(format!(
                "RabbitMQ at {} has not confirmed what was published: publish it again; if that goes on, see whether \
                 the queue has a leader (`rabbitmq-queues quorum_status`)",
                self.broker.address
            )),
            // The next attempt finds the queue declared.
            NotSent::Unroutable if self.topology.as_ref().is_some_and(|it| it.declare) => {
                let queue = match &self.route {
                    Route::Partitions(partitions) => partitions.exchange.as_str(),
                    Route::Fixed(_) | Route::ByKey => key,
                };
                TransportError::unavailable(format!(
                    "there was no queue {queue:?} at {}; it is declared again",
                    self.broker.address
                ))
            }
            NotSent::Unroutable => TransportError::fatal(format!(
                "no queue takes what is published to the exchange {exchange:?} with the routing key {key:?}: \
                 declare the queue, or bind it"
            )),
            NotSent::TooLarge(TooLarge { bytes, limit }) => TransportError::fatal(format!(
                "the headers of an event have {bytes} bytes, and {limit} fit into a frame of RabbitMQ: put what is \
                 large into the body"
            )),
            // A quorum queue whose process does not answer refuses the first event on a channel, like a full one
            // (<https://github.com/rabbitmq/rabbitmq-server/blob/v3.10.8/deps/rabbit/src/rabbit_fifo_client.erl>).
            NotSent::Refused => TransportError::busy(format!(
                "the queue behind the exchange {exchange:?} and the routing key {key:?} refused an event: it is full \
                 (`x-overflow`: `reject-publish`), or it has just been declared and does not answer yet; publish the \
                 event again"
            )),
        }
    }
}

/// Whether the broker has closed the channel over a message that it will not have.
fn is_refusal(outcome: &Result<(), NotSent>) -> bool {
    matches!(outcome, Err(NotSent::Lost(error)) if reply_code(error) == Some(PRECONDITION_FAILED))
}

/// The key of the event, as far as AMQP can carry it.
fn routing_key_of(event: &Event) -> Result<ShortString, TransportError> {
    let key = event.key().ok_or_else(|| {
        TransportError::fatal(
            "the routing key is to be the event's key (`RoutingKey::OfEvent`), and the event has none: give it one, or \
             publish with a fixed routing key",
        )
    })?;
    let text = key.as_str();
    ShortString::try_new(text).map_err(|_| {
        TransportError::fatal(format!(
            "the event's key has {} bytes, and a routing key of AMQP may have 255: take a shorter key, or a fixed \
             routing key",
            text.len()
        ))
    })
}

#[async_trait]
impl Publish for AmqpPublisher {
    async fn send(&self, events: &[Event]) -> Vec<Result<(), TransportError>> {
        if self.publisher.is_blocked().await {
            let blocked = || TransportError::busy(self.blocked());
            return events.iter().map(|_| Err(blocked())).collect();
        }
        // What cannot be a message at all keeps its place among the outcomes.
        let mut sent = Vec::with_capacity(events.len());
        let mut refusals: Vec<Option<TransportError>> = Vec::with_capacity(events.len());
        for event in events {
            match self.message(event) {
                Ok(message) => {
                    sent.push(message);
                    refusals.push(None);
                }
                Err(error) => refusals.push(Some(error)),
            }
        }
        let mut outcomes = self.publisher.send(&sent).await;
        self.find_refused(&sent, &mut outcomes).await;
        let mut outcomes = outcomes.into_iter().zip(sent);
        let outcomes = refusals.into_iter().map(|refused| match refused {
            Some(error) => Err(error),
            None => match outcomes.next() {
                Some((outcome, message)) => {
                    outcome.map_err(|reason| self.error(reason, &message.routing_key))
                }
                None => Err(TransportError::unavailable("RabbitMQ was not asked")),
            },
        });
        outcomes.collect()
    }

    fn flow(&self) -> Flow {
        if self.publisher.was_blocked() {
            Flow::Blocked {
                why: self.blocked(),
            }
        } else {
            Flow::Open
        }
    }
}

impl fmt::Debug for AmqpPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpPublisher")
            .field("address", &self.broker.address)
            .field("exchange", &self.exchange.as_str())
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
