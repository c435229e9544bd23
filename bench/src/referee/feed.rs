//! Fills the queue.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, QueueDeleteOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use ordered_events::{Amqp, Envelope};
use ordered_testkit::server::KafkaServer;

use crate::Failure;
use crate::clock;
use crate::contestant::Schedule;
use crate::event::OrderEvent;
use crate::load::Placed;

/// How many events are on their way to the broker at a time.
const WINDOW: usize = 2_000;
const BYTES: usize = 8 << 20;
const PARTITIONS: i32 = 8;

/// A queue for one turn: the kind that the framework declares, for all contestants; or a topic.
pub(super) struct Queue {
    pub(super) name: String,
    url: String,
    rabbit: Option<(Channel, Connection)>,
}

impl Queue {
    pub(super) async fn declare(url: &str, name: String) -> Result<Self, Failure> {
        Amqp::connect(url)
            .queue(&name)
            .publisher()
            .await?
            .close()
            .await;
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self {
            name,
            url: url.to_owned(),
            rabbit: Some((channel, connection)),
        })
    }

    /// A topic of Kafka, and its keys in the records of it.
    pub(super) async fn create(kafka: &KafkaServer, name: String) -> Result<Self, Failure> {
        kafka.create_topic(&name, PARTITIONS, &[]).await?;
        Ok(Self {
            name,
            url: format!("{}?key=order_id", kafka.url()),
            rabbit: None,
        })
    }

    /// Puts all events in, and returns when the broker has confirmed them.
    pub(super) async fn fill(&self, events: &[Placed], bytes: usize) -> Result<(), Failure> {
        let publisher = ordered_events::publisher(&self.url, &self.name).await?;
        for some in events.chunks(WINDOW.min(BYTES / bytes.max(1)).max(1)) {
            let envelope = |placed: &Placed| Envelope::new(OrderEvent::body(*placed, bytes));
            publisher
                .publish(some.iter().map(envelope).collect())
                .await?;
        }
        Ok(())
    }

    /// Puts each event in at its time, or late, but not earlier.
    pub(super) async fn feed(
        &self,
        events: &[Placed],
        bytes: usize,
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
                let body = OrderEvent::body(*placed, bytes);
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
        let Some((channel, connection)) = self.rabbit else {
            return Ok(());
        };
        for name in [self.name.clone(), format!("{}.dead", self.name)] {
            channel
                .queue_delete(name.as_str().into(), QueueDeleteOptions::default())
                .await?;
        }
        connection.close(200, "done".into()).await?;
        Ok(())
    }
}
