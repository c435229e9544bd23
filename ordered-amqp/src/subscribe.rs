use std::sync::atomic::{AtomicBool, Ordering};

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer};

use crate::failure::{self, PRECONDITION_FAILED};

/// The wish to consume from a queue, and to be told when that queue is gone.
///
/// Before RabbitMQ 4.0 a queue that is deleted and declared again at once is consumed by the server itself in the name
/// of the old consumer, unless that has asked for its end. What a quorum queue then delivers is thrown unavailable by
/// the server, which has forgotten in between that it consumes (`handle_consuming_queue_down_or_eol` in its
/// `rabbit_channel.erl`): the queue counts it as delivered, and nobody ever gets it.
#[derive(Debug, Default)]
pub(crate) struct Subscription {
    /// The server does not take the wish for this queue, as old ones do not for quorum queues.
    not_taken: AtomicBool,
}

impl Subscription {
    pub(crate) async fn open(
        &self,
        connection: &Connection,
        queue: &str,
        consumer_tag: &str,
        prefetch: u16,
    ) -> lapin::Result<(Channel, Consumer)> {
        if !self.not_taken.load(Ordering::Relaxed) {
            let mut arguments = FieldTable::default();
            arguments.insert("x-cancel-on-ha-failover".into(), AMQPValue::Boolean(true));
            let opened = consume(connection, queue, consumer_tag, prefetch, arguments).await;
            if !matches!(&opened, Err(error) if is_refused(error)) {
                return opened;
            }
            tracing::debug!(queue, "an older RabbitMQ, and a quorum queue");
            self.not_taken.store(true, Ordering::Relaxed);
        }
        let arguments = FieldTable::default();
        let opened = consume(connection, queue, consumer_tag, prefetch, arguments).await?;
        // Quorum queues take no consumer on a channel with a limit of its own, and do not look at the limit of one they
        // have: the server cannot consume again, and so cancels.
        let of_the_channel = BasicQosOptions { global: true };
        opened.0.basic_qos(prefetch, of_the_channel).await?;
        Ok(opened)
    }
}

fn is_refused(error: &lapin::Error) -> bool {
    failure::reply_code(error) == Some(PRECONDITION_FAILED)
}

/// On a channel of its own: the broker closes the channel when it refuses.
async fn consume(
    connection: &Connection,
    queue: &str,
    consumer_tag: &str,
    prefetch: u16,
    arguments: FieldTable,
) -> lapin::Result<(Channel, Consumer)> {
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await?;
    let options = BasicConsumeOptions::default();
    let (queue, tag) = (queue.into(), consumer_tag.into());
    let consumer = channel
        .basic_consume(queue, tag, options, arguments)
        .await?;
    Ok((channel, consumer))
}
