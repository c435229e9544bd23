use std::sync::{Arc, OnceLock};

use lapin::Connection;
use lapin::types::ShortString;
use ordered_core::event::Envelope;
use ordered_core::publish::Outgoing as Event;
use ordered_core::store::bucket_of;
use ordered_core::transport::TransportError;
use serde_json::Value;

use crate::address::Address;
use crate::broker::Broker;
use crate::exchange::{Exchange, ExchangeKind};
use crate::failure::{self, Operation, explain};
use crate::names;

/// Each is a quorum queue with a log and, on each node, a process of its own.
pub(crate) const MOST: u16 = 256;

/// The kinds of exchanges that hash the routing key, the better one first: of the first kind few keys move when queues
/// are added.
const HASHES: [&str; 2] = ["x-consistent-hash", "x-modulus-hash"];
/// The routing key of a binding to such an exchange: how many shares of the hashes the queue gets.
pub(crate) const SHARE: &str = "1";

/// How the events of a queue are rebalance over several.
#[derive(Debug, Clone)]
pub(crate) struct Partitions {
    pub(crate) count: u16,
    /// It puts an event into one of them, by its routing key.
    pub(crate) exchange: ShortString,
    /// Each worker consumes it and gets nothing, so that they can be counted: RabbitMQ does not count the consumers of
    /// a quorum queue that wait for the active one to end.
    pub(crate) workers: ShortString,
    /// Where an event that is published has its key, in place of the one it names: a header or a field of its JSON.
    key: Option<String>,
    /// The kind of the exchange, once the server has taken one. Clones find it together.
    kind: Arc<OnceLock<&'static str>>,
}

impl Partitions {
    pub(crate) fn new(
        queue: &str,
        count: u16,
        key: Option<String>,
    ) -> Result<Self, TransportError> {
        if !(1..=MOST).contains(&count) {
            return Err(TransportError::fatal(format!(
                "`partitions` is {count}, and may be 1 to {MOST}: each is a queue of its own"
            )));
        }
        Ok(Self {
            count,
            exchange: names::partition_exchange(queue).into(),
            workers: names::workers(queue).into(),
            key,
            kind: Arc::default(),
        })
    }

    /// Their queues.
    pub(crate) fn queues(&self, queue: &str) -> Vec<ShortString> {
        let name = |number| names::partition(queue, number).into();
        (0..self.count).map(name).collect()
    }

    /// Declares the exchange, of a kind that the server has, and remembers which that is. On connections of its own:
    /// RabbitMQ closes the one over which it is asked for a kind that it does not know.
    pub(crate) async fn choose(&self, broker: &Broker) -> Result<(), TransportError> {
        if self.kind.get().is_some() {
            return Ok(());
        }
        let address = &broker.address;
        let mut refusal = None;
        for kind in HASHES {
            let exchange = self.exchange_of(Some(kind));
            let declare =
                async |connection: &Connection| Ok(exchange.declare_durable(connection).await);
            let kind = match broker.with_connection("partitions", declare).await? {
                Ok(()) => kind,
                Err(error) => match (failure::reply_code(&error), hash_that_is_there(&error)) {
                    (_, Some(other)) => other,
                    (Some(failure::COMMAND_INVALID), _) => {
                        refusal = Some(error);
                        continue;
                    }
                    _ => {
                        let operation = Operation::Partitions(self.exchange.as_str());
                        return Err(explain(address, operation, error));
                    }
                },
            };
            // Both found the same, if two were asked at once.
            let _ = self.kind.set(kind);
            tracing::debug!(exchange = self.exchange.as_str(), kind, "declared");
            return Ok(());
        }
        let refusal = refusal.map(|error| error.to_string()).unwrap_or_default();
        Err(TransportError::fatal(format!(
            "RabbitMQ at {address} has no exchange that hashes the key, which `partitions` needs. It comes with the \
             server and is turned on with `rabbitmq-plugins enable rabbitmq_consistent_hash_exchange`, without a \
             restart; it said: {refusal}"
        )))
    }

    /// Sees to it that the exchange is there, as it was [chosen](Self::choose).
    pub(crate) async fn ensure(
        &self,
        connection: &Connection,
        address: &Address,
        declare: bool,
    ) -> Result<(), TransportError> {
        let exchange = self.exchange_of(self.kind.get().copied());
        exchange.ensure(connection, address, declare).await
    }

    fn exchange_of(&self, kind: Option<&'static str>) -> Exchange {
        Exchange {
            name: self.exchange.clone(),
            kind: kind.map(|kind| ExchangeKind::Plugin(kind.to_owned())),
        }
    }

    /// With what an event is published, so that it comes to the partition of its key.
    ///
    /// An event without a key goes to any. So do several with keys of which a routing key of AMQP cannot hold the
    /// whole, but those of one key to one.
    pub(crate) fn routing_key(&self, event: &Event) -> ShortString {
        let envelope = event.envelope();
        let named = self.key.as_deref();
        let named = named.and_then(|name| header(envelope, name).or_else(|| field(envelope, name)));
        let key = named.or_else(|| event.key().map(|key| key.as_str().to_owned()));
        let key = key.unwrap_or_else(|| fastrand::u32(..).to_string());
        ShortString::try_new(key.as_str())
            .unwrap_or_else(|_| bucket_of(&key, u32::MAX).to_string().into())
    }
}

/// A hashing exchange of another kind is there already.
fn hash_that_is_there(error: &lapin::Error) -> Option<&'static str> {
    if failure::reply_code(error) != Some(failure::PRECONDITION_FAILED) {
        return None;
    }
    let text = error.to_string();
    let (_, current) = text.rsplit_once("but current is ")?;
    HASHES.into_iter().find(|kind| current.contains(kind))
}

fn header(envelope: &Envelope, name: &str) -> Option<String> {
    envelope.headers.get(name).cloned()
}

/// The top-level field of the JSON, if it is a text or a number.
fn field(envelope: &Envelope, name: &str) -> Option<String> {
    let fields: Value = serde_json::from_slice(&envelope.body).ok()?;
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ordered_core::event::Key;

    use super::*;

    fn partitions(key: Option<&str>) -> Partitions {
        Partitions::new("q", 4, key.map(ToOwned::to_owned)).unwrap()
    }

    fn event(key: &str) -> Event {
        let envelope = Envelope::new(r#"{"order_id": "order-1", "number": 7}"#);
        Event::new(Key::new(key).unwrap(), envelope)
    }

    #[test]
    fn each_partition_is_a_queue_with_a_number() {
        let queues = partitions(None).queues("q");
        let names: Vec<&str> = queues.iter().map(ShortString::as_str).collect();
        assert_eq!(names, ["q.0", "q.1", "q.2", "q.3"]);
        for count in [0, MOST + 1] {
            let error = Partitions::new("q", count, None).unwrap_err().to_string();
            assert!(error.contains("1 to 256"), "{error}");
        }
    }

    #[test]
    fn the_key_of_an_event_is_its_routing_key() {
        let routing_key = |key, event: &Event| partitions(key).routing_key(event).to_string();
        assert_eq!(routing_key(None, &event("k")), "k");
        assert_eq!(routing_key(Some("order_id"), &event("k")), "order-1");
        assert_eq!(routing_key(Some("number"), &event("k")), "7");
        assert_eq!(routing_key(Some("none"), &event("k")), "k");
    }

    #[test]
    fn a_key_that_amqp_cannot_carry_still_comes_to_one_partition() {
        let long = "k".repeat(300);
        let first = partitions(None).routing_key(&event(&long));
        assert_eq!(first, partitions(None).routing_key(&event(&long)));
        let other = format!("{long}l");
        assert_ne!(first, partitions(None).routing_key(&event(&other)));
    }
}
