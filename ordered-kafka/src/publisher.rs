use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::event::Envelope;
use ordered_core::publish::Outgoing;
use ordered_core::transport::{Publish, TransportError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use tokio::time::sleep;

use crate::context::Context;
use crate::link::Link;
use crate::{config, failure, names};

/// How long to wait for room in the client's queue.
const FULL: Duration = Duration::from_millis(5);

/// Publishes events to a topic, confirmed by all replicas in sync, in order and once within a partition, also where the
/// client repeats a request. Clones share the connections.
///
/// Events with one record key go to one partition. The record key is the header [`kafka.key`](names::KEY), or what
/// [`key`](crate::KafkaBuilder::key) says, or the key of the event; an event without any goes to some partition.
///
/// For a [`Publisher`](ordered_core::publish::Publisher), which keeps the order of a key also where a record is given
/// up by the client (`delivery.timeout.ms`), and sends it again.
#[derive(Clone)]
pub struct KafkaPublisher {
    link: Arc<Link>,
    producer: FutureProducer<Context>,
}

impl KafkaPublisher {
    pub(crate) fn new(link: Arc<Link>) -> Result<Self, TransportError> {
        let config = config::producer(&link.address);
        let created = config.create_with_context(link.context());
        let producer = created.map_err(|error| failure::misconfigured(&error))?;
        Ok(Self { link, producer })
    }

    /// Puts an event into the client's queue, once there is room for it.
    async fn enqueue(&self, event: &Outgoing) -> Result<DeliveryFuture, TransportError> {
        let (envelope, key) = (event.envelope(), self.key_of(event));
        let mut record: FutureRecord<'_, str, [u8]> =
            FutureRecord::to(&self.link.topic).headers(headers(envelope));
        record.payload = Some(&envelope.body);
        record.key = key.as_deref();
        record.timestamp = envelope
            .published_at
            .and_then(|millis| i64::try_from(millis).ok());
        loop {
            match self.producer.send_result(record) {
                Ok(delivery) => return Ok(delivery),
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) => record = back,
                Err((error, _)) => return Err(failure::while_writing(&self.link.topic, &error)),
            }
            sleep(FULL).await;
        }
    }

    async fn confirmed(&self, delivery: DeliveryFuture) -> Result<(), TransportError> {
        let error = match delivery.await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err((error, _))) => error,
            Err(_) => KafkaError::Canceled,
        };
        Err(failure::while_writing(&self.link.topic, &error))
    }

    fn key_of(&self, event: &Outgoing) -> Option<String> {
        let envelope = event.envelope();
        let header = |name: &str| envelope.headers.get(name).cloned();
        let chosen = self.link.options.key.as_deref();
        header(names::KEY)
            .or_else(|| chosen.and_then(|name| header(name).or_else(|| field(envelope, name))))
            .or_else(|| event.key().map(|key| key.as_str().to_owned()))
    }
}

/// The headers of the record: those of the event, but for what says where it lay.
fn headers(envelope: &Envelope) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(envelope.headers.len());
    for (key, value) in &envelope.headers {
        if !names::PLACE.contains(&key.as_str()) {
            let value = Some(value);
            headers = headers.insert(Header { key, value });
        }
    }
    headers
}

/// The top-level field of the JSON, if it is a text or a number.
fn field(envelope: &Envelope, name: &str) -> Option<String> {
    let mut fields: BTreeMap<String, Value> = serde_json::from_slice(&envelope.body).ok()?;
    match fields.remove(name)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[async_trait]
impl Publish for KafkaPublisher {
    /// # Cancel safety
    /// What a dropped future has enqueued is published all the same.
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            deliveries.push(self.enqueue(event).await);
        }
        let mut outcomes = Vec::with_capacity(events.len());
        for delivery in deliveries {
            outcomes.push(match delivery {
                Ok(delivery) => self.confirmed(delivery).await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }
}

impl fmt::Debug for KafkaPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaPublisher")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_the_json() {
        let envelope = Envelope::new(r#"{"order_id":"o-1","n":7,"flag":true}"#);
        assert_eq!(field(&envelope, "order_id").as_deref(), Some("o-1"));
        assert_eq!(field(&envelope, "n").as_deref(), Some("7"));
        assert_eq!(field(&envelope, "flag"), None);
        assert_eq!(field(&Envelope::new("no JSON"), "n"), None);
    }
}
