use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use ordered_core::event::Envelope;
use ordered_core::transport::{BrokerDeadLetter, DeadLetters, Token, TransportError};

use crate::broker::{ANSWER, Broker, within};
use crate::envelope;
use crate::failure::{Operation, explain, unavailable};
use crate::headers;
use crate::outgoing::{Outgoing, Places};
use crate::publisher_connection::{NotSent, PublisherConnection};
use crate::received_message::ReceivedMessage;

/// From how many deliveries on a letter is put into its queue anew: RabbitMQ 4 drops what was delivered twenty times.
const MOST_LOOKS: u64 = 10;
/// What the broker says of a message in a quorum queue: how often it was delivered before.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// The dead letters of a queue of RabbitMQ. They are taken with `basic.get`, and held unacknowledged.
pub struct AmqpDeadLetters {
    broker: Broker,
    places: Places,
    connection: Connection,
    channel: Channel,
    publisher: PublisherConnection,
    // A std mutex: it is held for a few map accesses.
    taken: Mutex<BTreeMap<u64, ReceivedMessage>>,
}

impl AmqpDeadLetters {
    pub(crate) async fn open(broker: Broker, places: Places) -> Result<Self, TransportError> {
        let connection = broker.open("dead letters").await?;
        let operation = Operation::Queue(places.dead_letters.as_str());
        let channel = within(ANSWER, connection.create_channel()).await;
        let channel = channel.map_err(|error| explain(&broker.address, operation, error))?;
        let letters = Self {
            publisher: PublisherConnection::new(broker.clone(), None, "redrive"),
            broker,
            places,
            connection,
            channel,
            taken: Mutex::default(),
        };
        letters.ready().await?;
        Ok(letters)
    }

    /// How many are in the queue and with nobody. On a channel of its own: the broker closes it when there is no such
    /// queue.
    async fn ready(&self) -> Result<u64, TransportError> {
        let queue = &self.places.dead_letters;
        let asked = async {
            let channel = self.connection.create_channel().await?;
            let passive = QueueDeclareOptions::durable().passive();
            let queue = channel.queue_declare(queue.clone(), passive, FieldTable::default());
            let count = queue.await?.message_count();
            channel.close(200, "counted".into()).await?;
            Ok(count)
        };
        let count = within(ANSWER, asked).await;
        let operation = Operation::Queue(queue.as_str());
        count
            .map(u64::from)
            .map_err(|error| explain(&self.broker.address, operation, error))
    }

    async fn get(&self) -> Result<Option<(u64, ReceivedMessage)>, TransportError> {
        let queue = self.places.dead_letters.clone();
        let got = self.channel.basic_get(queue, BasicGetOptions::default());
        let got = within(ANSWER, got).await;
        let got = got.map_err(|error| unavailable(&self.broker.address, error))?;
        Ok(got.map(|message| {
            let message = message.delivery;
            let original = ReceivedMessage {
                exchange: message.exchange,
                routing_key: message.routing_key,
                properties: message.properties,
                body: message.data.into(),
            };
            (message.delivery_tag, original)
        }))
    }

    async fn ack(&self, tag: u64) -> Result<(), TransportError> {
        let acked = self.channel.basic_ack(tag, BasicAckOptions::default());
        acked
            .await
            .map_err(|error| unavailable(&self.broker.address, error))
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<u64, ReceivedMessage>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_sent(&self, message: &Outgoing, reason: NotSent) -> TransportError {
        let queue = match message.exchange.as_str() {
            "" => message.routing_key.as_str(),
            exchange => exchange,
        };
        match reason {
            NotSent::Lost(error) => unavailable(&self.broker.address, error),
            NotSent::Unroutable => TransportError::fatal(format!(
                "there is no queue {queue:?} any more: declare it, or start a worker that does"
            )),
            NotSent::Unconfirmed | NotSent::Refused | NotSent::TooLarge(_) => {
                TransportError::unavailable(format!("the queue {queue:?}: {reason}"))
            }
        }
    }
}

#[async_trait]
impl DeadLetters for AmqpDeadLetters {
    fn queue(&self) -> &str {
        self.places.dead_letters.as_str()
    }

    async fn count(&self) -> Result<u64, TransportError> {
        let ready = self.ready().await?;
        Ok(ready + self.taken().len() as u64)
    }

    async fn take(&self, max: usize) -> Result<Vec<BrokerDeadLetter>, TransportError> {
        let mut letters = Vec::new();
        while letters.len() < max {
            let Some((tag, original)) = self.get().await? else {
                break;
            };
            if looks(&original) >= MOST_LOOKS {
                let copy = self.places.refreshed(&original);
                let outcome = self.publisher.send(std::slice::from_ref(&copy)).await.pop();
                if matches!(outcome, Some(Ok(()))) {
                    // The copy comes at the end of the queue.
                    self.ack(tag).await?;
                    continue;
                }
            }
            let envelope = envelope::from_message(&original, &self.places.defer_prefix);
            letters.push(letter(tag, envelope));
            self.taken().insert(tag, original);
        }
        Ok(letters)
    }

    async fn redrive(&self, tokens: &[Token]) -> Vec<Result<(), TransportError>> {
        let messages: Vec<Option<Outgoing>> = {
            let taken = self.taken();
            let message = |token: &Token| taken.get(&token.0);
            let messages = tokens.iter().map(message);
            messages
                .map(|original| Some(self.places.redriven(original?)))
                .collect()
        };
        let known: Vec<Outgoing> = messages.iter().flatten().cloned().collect();
        let mut outcomes = self.publisher.send(&known).await.into_iter();
        let mut results = Vec::with_capacity(tokens.len());
        for (token, message) in tokens.iter().zip(messages) {
            let Some(message) = message else {
                let gone = "the letter is not held here any more";
                results.push(Err(TransportError::fatal(gone)));
                continue;
            };
            match outcomes.next() {
                Some(Ok(())) => {
                    self.taken().remove(&token.0);
                    results.push(self.ack(token.0).await);
                }
                Some(Err(reason)) => results.push(Err(self.not_sent(&message, reason))),
                None => results.push(Err(self.not_sent(&message, NotSent::Unconfirmed))),
            }
        }
        results
    }

    async fn close(&self) -> Result<(), TransportError> {
        let tags: Vec<u64> = std::mem::take(&mut *self.taken()).into_keys().collect();
        for tag in tags {
            let options = BasicNackOptions {
                requeue: true,
                ..BasicNackOptions::default()
            };
            let given_back = self.channel.basic_nack(tag, options).await;
            given_back.map_err(|error| unavailable(&self.broker.address, error))?;
        }
        // Only a closed channel is sure to have said all of it.
        let closed = within(ANSWER, self.connection.close(200, "done".into())).await;
        self.publisher.close().await;
        closed.map_err(|error| unavailable(&self.broker.address, error))
    }
}

/// The letter, with what the broker says of one that it put here itself.
fn letter(tag: u64, envelope: Envelope) -> BrokerDeadLetter {
    let mut letter = BrokerDeadLetter::new(Token(tag), envelope);
    if letter.reason.is_none() {
        let mut of_broker = |name| letter.envelope.headers.remove(name);
        letter.reason = of_broker("x-first-death-reason");
        letter.queue = of_broker("x-first-death-queue");
    }
    letter
}

/// How often a letter was delivered before.
fn looks(original: &ReceivedMessage) -> u64 {
    let table = original.properties.headers().as_ref();
    let count = table.and_then(|table| table.inner().get(DELIVERY_COUNT));
    count.and_then(headers::as_number).unwrap_or(0)
}

impl fmt::Debug for AmqpDeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpDeadLetters")
            .field("address", &self.broker.address)
            .field("queue", &self.places.dead_letters.as_str())
            .finish_non_exhaustive()
    }
}
