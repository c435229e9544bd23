use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lapin::Connection;
use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use ordered_core::transport::TransportError;

use crate::address::Address;
use crate::broker::{ANSWER, Broker, within};
use crate::declared_queue;
use crate::exchange::{Argument, Binding, Exchange};
use crate::failure::{self, Operation, explain};
use crate::names;
use crate::outgoing::Places;
use crate::partitions::{self, Partitions};

/// The kind of a queue that is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueKind {
    /// Replicated, and written to disk before the broker confirms: <https://www.rabbitmq.com/docs/quorum-queues>.
    Quorum,
    /// Durable, on one node: <https://www.rabbitmq.com/docs/classic-queues>.
    Classic,
}

/// The arguments of queues.
pub(crate) mod arguments {
    use lapin::types::{AMQPValue, FieldTable};

    fn text(table: &mut FieldTable, name: &'static str, value: &str) {
        table.insert(name.into(), AMQPValue::LongString(value.into()));
    }

    pub(crate) fn quorum() -> FieldTable {
        let mut table = FieldTable::default();
        text(&mut table, "x-queue-type", "quorum");
        table
    }

    pub(crate) fn classic() -> FieldTable {
        let mut table = FieldTable::default();
        text(&mut table, "x-queue-type", "classic");
        table
    }

    /// What the queue drops goes there.
    pub(crate) fn dead_letter(table: &mut FieldTable, exchange: &str, key: &str) {
        text(table, "x-dead-letter-exchange", exchange);
        text(table, "x-dead-letter-routing-key", key);
    }

    /// The broker gives it to one consumer at a time, and to the next when that one is gone.
    pub(crate) fn single_active_consumer(table: &mut FieldTable) {
        table.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }

    /// What the queue drops goes there, with the routing key that it has.
    pub(crate) fn dead_letter_by_key(table: &mut FieldTable, exchange: &str) {
        text(table, "x-dead-letter-exchange", exchange);
    }

    /// It is not dropped before it is there.
    pub(crate) fn dead_letter_at_least_once(table: &mut FieldTable) {
        text(table, "x-dead-letter-strategy", "at-least-once");
        text(table, "x-overflow", "reject-publish");
    }
}

/// The queues that have to be there before anything is consumed.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    pub(crate) places: Places,
    pub(crate) kind: Option<QueueKind>,
    /// What the queue is declared with besides; what is said here goes before what is usual.
    pub(crate) arguments: Vec<(ShortString, Argument)>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) bindings: Vec<Binding>,
    /// The queues that take the place of the queue.
    pub(crate) partitions: Option<Partitions>,
    pub(crate) declare: bool,
    /// A queue whose arguments break a promise is refused.
    pub(crate) strict: bool,
    /// The broker gives each queue to one consumer at a time: noted when they are looked at.
    pub(crate) one_consumer: Arc<AtomicBool>,
}

impl Topology {
    /// The queues that are consumed.
    pub(crate) fn queues(&self) -> Vec<ShortString> {
        let queue = &self.places.queue;
        match &self.partitions {
            Some(partitions) => partitions.queues(queue.as_str()),
            None => vec![queue.clone()],
        }
    }

    /// Finds out what the server has, before anything is declared over a connection that is to be kept.
    pub(crate) async fn prepare(&self, broker: &Broker) -> Result<(), TransportError> {
        match &self.partitions {
            Some(partitions) if self.declare => partitions.choose(broker).await,
            _ => Ok(()),
        }
    }

    /// Sees to it that the queue and the queue for its dead letters are there.
    pub(crate) async fn ensure(
        &self,
        connection: &Connection,
        address: &Address,
    ) -> Result<(), TransportError> {
        let dead_letters = &self.places.dead_letters;
        for exchange in &self.exchanges {
            exchange.ensure(connection, address, self.declare).await?;
        }
        if let Some(partitions) = &self.partitions {
            partitions.ensure(connection, address, self.declare).await?;
        }
        let plain = arguments::quorum();
        self.ensure_queue(connection, address, (dead_letters.as_str(), false), plain)
            .await?;
        let is_said = self.kind.is_some() || !self.arguments.is_empty();
        let queues = self.queues();
        for queue in &queues {
            let (queue, arguments) = ((queue.as_str(), is_said), self.arguments());
            self.ensure_queue(connection, address, queue, arguments)
                .await?;
        }
        if !self.declare {
            return Ok(());
        }
        if let Some(partitions) = &self.partitions {
            let (queue, plain) = ((partitions.workers.as_str(), false), arguments::classic());
            self.ensure_queue(connection, address, queue, plain).await?;
        }
        let dead = self.places.dead_letter_binding();
        if let Some(binding) = dead {
            binding.ensure(connection, address, dead_letters).await?;
        }
        let Some(partitions) = &self.partitions else {
            for binding in &self.bindings {
                binding
                    .ensure(connection, address, &self.places.queue)
                    .await?;
            }
            return Ok(());
        };
        let share = Binding {
            exchange: partitions.exchange.clone(),
            routing_key: partitions::SHARE.into(),
        };
        for queue in &queues {
            share.ensure(connection, address, queue).await?;
        }
        for binding in &self.bindings {
            binding
                .ensure_to_exchange(connection, address, &partitions.exchange)
                .await?;
        }
        Ok(())
    }

    /// What the queue is declared with, if it is missing.
    fn arguments(&self) -> FieldTable {
        let mut table = self.usual_arguments();
        if self.partitions.is_some() {
            arguments::single_active_consumer(&mut table);
        }
        for (name, value) in &self.arguments {
            table.insert(name.clone(), value.for_lapin());
        }
        table
    }

    fn usual_arguments(&self) -> FieldTable {
        let Places {
            dead_letters,
            dead_letter_exchange,
            ..
        } = &self.places;
        match self.kind {
            Some(QueueKind::Classic) => {
                let mut table = arguments::classic();
                // Where it is said, what a classic queue drops goes there too.
                if !dead_letter_exchange.as_str().is_empty() {
                    arguments::dead_letter(
                        &mut table,
                        dead_letter_exchange.as_str(),
                        dead_letters.as_str(),
                    );
                }
                table
            }
            Some(QueueKind::Quorum) | None => {
                // From RabbitMQ 4.0 on, a quorum queue drops what it has delivered 20 times, unless it has a place
                // for it: <https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling>.
                let mut table = arguments::quorum();
                arguments::dead_letter(
                    &mut table,
                    dead_letter_exchange.as_str(),
                    dead_letters.as_str(),
                );
                arguments::dead_letter_at_least_once(&mut table);
                table
            }
        }
    }

    /// Whether the broker gives the queue to one consumer at a time, as far as it was seen.
    pub(crate) fn has_one_consumer(&self) -> bool {
        self.one_consumer.load(Ordering::Relaxed)
    }

    /// Says which promises cannot be kept on the queues, as they were declared.
    ///
    /// # Errors
    /// When there are some, and they are not to be put up with.
    pub(crate) async fn look(
        &self,
        connection: &Connection,
        address: &Address,
    ) -> Result<(), TransportError> {
        let mut has_one_consumer = true;
        for queue in self.queues() {
            has_one_consumer &= self.look_at(connection, address, queue.as_str()).await?;
        }
        self.one_consumer.store(has_one_consumer, Ordering::Relaxed);
        if let Some(partitions) = &self.partitions {
            self.look_for_others(connection, partitions.count).await;
        }
        Ok(())
    }

    /// Says what promises the queue breaks, and whether the broker gives it to one consumer at a time.
    async fn look_at(
        &self,
        connection: &Connection,
        address: &Address,
        queue: &str,
    ) -> Result<bool, TransportError> {
        // To ask declares it, so it has to be there.
        if !is_there(connection, queue).await {
            return Ok(false);
        }
        let Some(declared) = declared_queue::inspect(connection, queue, self.arguments()).await
        else {
            return Ok(false);
        };
        let is_partition = self.partitions.is_some();
        let broken = declared.broken_promises(is_partition);
        if self.strict && !broken.is_empty() {
            let words: Vec<&str> = broken.iter().map(|promise| promise.0.as_str()).collect();
            return Err(TransportError::fatal(format!(
                "the queue {queue:?} at {address} is refused, since `strict` is set: {}",
                words.join("; ")
            )));
        }
        for promise in broken {
            tracing::warn!(queue, "the queue breaks a promise: {promise}");
        }
        if declared.has_one_consumer() && !is_partition {
            tracing::info!(
                queue,
                "the broker gives all events of the queue to one worker at a time (x-single-active-consumer), and the \
                 others wait until it is gone: the order `arrival` needs that; to rebalance the keys over the workers, \
                 use `partitions`"
            );
        }
        Ok(declared.has_one_consumer())
    }

    /// Says which queues that look like this one's are not consumed here.
    async fn look_for_others(&self, connection: &Connection, count: u16) {
        let queue = self.places.queue.as_str();
        if is_there(connection, queue).await {
            tracing::warn!(
                queue,
                "there is a queue without partitions, too, and this worker does not consume it: let a worker without \
                 `partitions` empty it, and delete it"
            );
        }
        let next = names::partition(queue, count);
        if is_there(connection, &next).await {
            tracing::warn!(
                queue = next,
                partitions = count,
                "there are more partitions than this worker consumes: what is in the others waits for workers that \
                 have more. To have fewer, unbind them, let them be emptied, and delete them"
            );
        }
    }

    /// A queue of which neither kind nor arguments are said is used as it is, if it is there.
    async fn ensure_queue(
        &self,
        connection: &Connection,
        address: &Address,
        (queue, is_said): (&str, bool),
        arguments: FieldTable,
    ) -> Result<(), TransportError> {
        let passive = QueueDeclareOptions::durable().passive();
        if !is_said || !self.declare {
            match declare(connection, queue, passive, FieldTable::default()).await {
                Ok(()) => return Ok(()),
                Err(error) if self.declare && is_missing(&error) => {}
                Err(error) => return Err(explain(address, Operation::Queue(queue), error)),
            }
        }
        declare(connection, queue, QueueDeclareOptions::durable(), arguments)
            .await
            .map_err(|error| explain(address, Operation::Queue(queue), error))?;
        tracing::debug!(queue, "declared");
        Ok(())
    }
}

async fn is_there(connection: &Connection, queue: &str) -> bool {
    let passive = QueueDeclareOptions::durable().passive();
    let declared = declare(connection, queue, passive, FieldTable::default()).await;
    declared.is_ok()
}

fn is_missing(error: &lapin::Error) -> bool {
    failure::reply_code(error) == Some(failure::NOT_FOUND)
}

/// On a channel of its own: the broker closes the channel when it refuses.
pub(crate) async fn declare(
    connection: &Connection,
    queue: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> lapin::Result<()> {
    within(ANSWER, async {
        let channel = connection.create_channel().await?;
        channel
            .queue_declare(queue.into(), options, arguments)
            .await?;
        channel.close(200, "declared".into()).await
    })
    .await
}
