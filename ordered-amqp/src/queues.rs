use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use lapin::{Connection, Queue};
use ordered_core::transport::TransportError;

use crate::broker::{ANSWER, Broker, within};
use crate::failure::{self, NOT_FOUND, Operation, explain};
use crate::topology::Topology;
use crate::{names, partitions};

/// A queue, as the broker tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmqpQueue {
    /// Its name.
    pub name: String,
    /// What it is to the workers.
    pub role: QueueRole,
    /// How many events wait in it. Those that were delivered and are not settled yet are not among them.
    pub waiting: u64,
    /// How many consumers it has. Of a partition the one that gets the events is counted, and not those that wait for
    /// it to end.
    pub consumers: u64,
}

/// What a queue is to the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueRole {
    /// It holds events.
    Events,
    /// It holds the events of some of the keys.
    Partition,
    /// It holds the dead letters.
    DeadLetters,
    /// It holds nothing: its consumers are the workers that share the partitions.
    Workers,
}

/// The queues of a topology that there are.
pub(crate) async fn list(
    broker: &Broker,
    topology: &Topology,
) -> Result<Vec<AmqpQueue>, TransportError> {
    let list = async |connection: &Connection| of_connection(connection, broker, topology).await;
    broker.with_connection("queues", list).await
}

async fn of_connection(
    connection: &Connection,
    broker: &Broker,
    topology: &Topology,
) -> Result<Vec<AmqpQueue>, TransportError> {
    let places = &topology.places;
    let queue = places.queue.as_str();
    let ask = async |name: ShortString, role| match look(connection, name.clone()).await {
        Ok(found) => Ok(Some(AmqpQueue {
            name: name.as_str().to_owned(),
            role,
            waiting: found.message_count().into(),
            consumers: found.consumer_count().into(),
        })),
        Err(error) if failure::reply_code(&error) == Some(NOT_FOUND) => Ok(None),
        Err(error) => {
            let operation = Operation::Queue(name.as_str());
            Err(explain(&broker.address, operation, error))
        }
    };
    let mut queues: Vec<AmqpQueue> = Vec::new();
    queues.extend(ask(places.queue.clone(), QueueRole::Events).await?);
    // Whatever is said of their number: those that are there count.
    for number in 0..partitions::MOST {
        let name = names::partition(queue, number).into();
        match ask(name, QueueRole::Partition).await? {
            Some(found) => queues.push(found),
            None => break,
        }
    }
    if queues.is_empty() {
        let address = &broker.address;
        return Err(TransportError::fatal(format!(
            "there is no queue {queue:?} at {address}, and no partition of one: check the name, or start a worker, \
             which declares it"
        )));
    }
    let workers = names::workers(queue).into();
    queues.extend(ask(workers, QueueRole::Workers).await?);
    queues.extend(ask(places.dead_letters.clone(), QueueRole::DeadLetters).await?);
    Ok(queues)
}

/// On a channel of its own: the broker closes it when there is no such queue.
async fn look(connection: &Connection, queue: ShortString) -> lapin::Result<Queue> {
    within(ANSWER, async {
        let channel = connection.create_channel().await?;
        let passive = QueueDeclareOptions::durable().passive();
        let found = channel.queue_declare(queue, passive, FieldTable::default());
        let found = found.await?;
        channel.close(200, "looked".into()).await?;
        Ok(found)
    })
    .await
}
