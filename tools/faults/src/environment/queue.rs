use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use ordered_events::{Publish, publisher};

use super::Servers;
use crate::Error;
use crate::fault::Broker;

/// The address of RabbitMQ for so many partitions of a queue, or for the queue.
pub(crate) fn address(url: &str, partitions: u16) -> String {
    match partitions {
        0 => url.to_owned(),
        count => format!("{url}&partitions={count}&key=order_id"),
    }
}

/// Where the events of a run are: a topic of Kafka, or a queue of RabbitMQ or its partitions.
pub(crate) struct Queue {
    pub(crate) broker: Broker,
    name: String,
    /// 0 where there is one queue.
    partitions: AtomicU16,
}

impl Queue {
    pub(crate) fn new(broker: Broker, name: &str, partitions: u16) -> Self {
        Self {
            broker,
            name: name.to_owned(),
            partitions: AtomicU16::new(partitions),
        }
    }

    pub(crate) fn partitions(&self) -> u16 {
        self.partitions.load(Ordering::SeqCst)
    }

    pub(crate) fn has_more(&self, partitions: u16) {
        self.partitions.store(partitions, Ordering::SeqCst);
    }

    /// The queues that have the events, if there are so many partitions.
    pub(crate) fn names(&self, partitions: u16) -> Vec<String> {
        match partitions {
            0 => vec![self.name.clone()],
            count => (0..count)
                .map(|number| format!("{}.{number}", self.name))
                .collect(),
        }
    }

    pub(crate) async fn publisher(&self, servers: &Servers) -> Result<Arc<dyn Publish>, Error> {
        let url = servers.transport(self.broker).await?;
        Ok(publisher(&address(&url, self.partitions()), &self.name).await?)
    }

    /// How many events no worker has.
    pub(crate) async fn ready(&self, servers: &Servers) -> Result<u32, Error> {
        match self.broker {
            Broker::Rabbit => servers.ready(&self.names(self.partitions())).await,
            Broker::Kafka => servers.lag(&self.name).await,
        }
    }

    /// How many dead letters there are.
    pub(crate) async fn dead(&self, servers: &Servers) -> Result<u32, Error> {
        let dead = format!("{}.dead", self.name);
        match self.broker {
            Broker::Rabbit => servers.ready(&[dead]).await,
            Broker::Kafka => servers.lag(&dead).await,
        }
    }

    /// What would be left on RabbitMQ.
    pub(crate) async fn delete(&self, servers: &Servers) -> Result<(), Error> {
        if self.broker == Broker::Kafka {
            return Ok(());
        }
        let mut names = self.names(self.partitions());
        if self.partitions() > 0 {
            names.push(format!("{}.workers", self.name));
            servers
                .delete_exchange(&format!("{}.partitions", self.name))
                .await?;
        }
        servers.delete_queues(&names).await
    }
}
