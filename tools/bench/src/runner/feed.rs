//! Fills the queue.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use ordered_events::{Amqp, Envelope};
use ordered_testkit::server::KafkaServer;

use crate::Failure;
use crate::clock;
use crate::event::OrderEvent;
use crate::load::{Load, Placed};
use crate::subject::Schedule;

/// How many events are on their way to the broker at a time.
const WINDOW: usize = 2_000;
const BYTES: usize = 8 << 20;
const PARTITIONS: i32 = 8;

/// A queue for one trial: the kind that the framework declares, for all subjects; or a topic.
pub(super) struct Queue {
    pub(super) name: String,
    url: String,
    /// Of RabbitMQ; 0 where there is one queue.
    partitions: u16,
    rabbit: Option<(Channel, Connection)>,
}

impl Queue {
    pub(super) async fn declare(
        url: String,
        name: String,
        partitions: u16,
    ) -> Result<Self, Failure> {
        Amqp::connect(&url)
            .queue(&name)
            .publisher()
            .await?
            .close()
            .await;
        // The parameters are the framework's.
        let plain = url.split('?').next().unwrap_or_default();
        let connection = Connection::connect(plain, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self {
            name,
            url,
            partitions,
            rabbit: Some((channel, connection)),
        })
    }

    /// A topic of Kafka, and its keys in the records of it.
    pub(super) async fn create(kafka: &KafkaServer, name: String) -> Result<Self, Failure> {
        kafka.create_topic(&name, PARTITIONS, &[]).await?;
        Ok(Self {
            name,
            url: format!("{}?key=order_id", kafka.url()),
            partitions: 0,
            rabbit: None,
        })
    }

    /// Puts all events in, and returns when the broker has confirmed them.
    pub(super) async fn fill(&self, events: &[Placed], load: &Load) -> Result<(), Failure> {
        let bytes = load.payload_bytes;
        let publisher = ordered_events::publisher(&self.url, &self.name).await?;
        for some in events.chunks(WINDOW.min(BYTES / bytes.max(1)).max(1)) {
            let body = |placed: &Placed| OrderEvent::body(*placed, bytes, load.compares_orders);
            let envelope = |placed: &Placed| Envelope::new(body(placed));
            publisher
                .publish(some.iter().map(envelope).collect())
                .await?;
        }
        Ok(())
    }

    /// Puts in what producers say besides their events.
    pub(super) async fn say(&self, said: Vec<Envelope>) -> Result<(), Failure> {
        let publisher = ordered_events::publisher(&self.url, &self.name).await?;
        for some in said.chunks(WINDOW) {
            publisher.publish(some.to_vec()).await?;
        }
        Ok(())
    }

    /// Puts each event in at its time, or late, but not earlier.
    pub(super) async fn feed(
        &self,
        events: &[Placed],
        load: &Load,
        Schedule { start, interval }: Schedule,
    ) -> Result<(), Failure> {
        let (channel, _) = self
            .rabbit
            .as_ref()
            .ok_or("only RabbitMQ is fed by the clock")?;
        let mut sent = 0;
        while sent < events.len() {
            let due = clock::monotonic().saturating_sub(start) / interval.max(1);
            let due = usize::try_from(due).unwrap_or(usize::MAX).min(events.len());
            for placed in &events[sent.min(due)..due] {
                let body = OrderEvent::body(*placed, load.payload_bytes, load.compares_orders);
                channel
                    .basic_publish(
                        "".into(),
                        self.name.as_str().into(),
                        BasicPublishOptions::default(),
                        &body,
                        BasicProperties::default().with_delivery_mode(2),
                    )
                    .await?;
            }
            sent = sent.max(due);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    pub(super) async fn delete(self) -> Result<(), Failure> {
        let Some((channel, connection)) = &self.rabbit else {
            return Ok(());
        };
        let queue = &self.name;
        let mut names = vec![format!("{queue}.dead")];
        match self.partitions {
            0 => names.push(queue.clone()),
            count => {
                names.push(format!("{queue}.workers"));
                names.extend((0..count).map(|number| format!("{queue}.{number}")));
            }
        }
        for name in names {
            channel
                .queue_delete(name.as_str().into(), QueueDeleteOptions::default())
                .await?;
        }
        if self.partitions > 0 {
            let exchange = format!("{queue}.partitions");
            channel
                .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
                .await?;
        }
        connection.close(200, "done".into()).await?;
        Ok(())
    }
}
