use lapin::Connection;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use ordered_core::transport::TransportError;

use crate::address::Address;
use crate::broker::{ANSWER, within};
use crate::failure::{self, Stage, explain};
use crate::outgoing::Places;

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

    /// What the queue drops goes to that queue, and is not dropped before it is there.
    pub(crate) fn dead_letter_to(table: &mut FieldTable, queue: &str) {
        text(table, "x-dead-letter-exchange", "");
        text(table, "x-dead-letter-routing-key", queue);
        text(table, "x-dead-letter-strategy", "at-least-once");
        text(table, "x-overflow", "reject-publish");
    }
}

/// The queues that have to be there before anything is consumed.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    pub(crate) places: Places,
    pub(crate) kind: Option<QueueKind>,
    pub(crate) declare: bool,
}

impl Topology {
    /// Sees to it that the queue and the queue for its dead letters are there.
    pub(crate) async fn ensure(
        &self,
        connection: &Connection,
        address: &Address,
    ) -> Result<(), TransportError> {
        let Places {
            queue,
            dead_letters,
            ..
        } = &self.places;
        let plain = arguments::quorum();
        self.ensure_queue(connection, address, dead_letters.as_str(), None, plain)
            .await?;
        let arguments = match self.kind {
            Some(QueueKind::Classic) => arguments::classic(),
            Some(QueueKind::Quorum) | None => {
                // From RabbitMQ 4.0 on, a quorum queue drops what it has delivered 20 times, unless it has a place
                // for it: <https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling>.
                let mut table = arguments::quorum();
                arguments::dead_letter_to(&mut table, dead_letters.as_str());
                table
            }
        };
        self.ensure_queue(connection, address, queue.as_str(), self.kind, arguments)
            .await
    }

    /// A queue whose kind was not asked for is used as it is, if it is there.
    async fn ensure_queue(
        &self,
        connection: &Connection,
        address: &Address,
        queue: &str,
        kind: Option<QueueKind>,
        arguments: FieldTable,
    ) -> Result<(), TransportError> {
        let passive = QueueDeclareOptions::durable().passive();
        if kind.is_none() || !self.declare {
            match declare(connection, queue, passive, FieldTable::default()).await {
                Ok(()) => return Ok(()),
                Err(error) if self.declare && is_missing(&error) => {}
                Err(error) => return Err(explain(address, Stage::Queue(queue), error)),
            }
        }
        declare(connection, queue, QueueDeclareOptions::durable(), arguments)
            .await
            .map_err(|error| explain(address, Stage::Queue(queue), error))?;
        tracing::debug!(queue, "declared");
        Ok(())
    }
}

fn is_missing(error: &lapin::Error) -> bool {
    failure::reply_code(error) == Some(failure::NOT_FOUND)
}

/// On a channel of its own: the broker closes the channel when it refuses.
async fn declare(
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
