use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ordered_core::transport::{
    ConsumeOptions, Delivery, DeliveryOrder, Disposition, Settlement, Transport, TransportError,
    TransportStatus,
};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::builder::{AmqpAddress, AmqpBuilder};
use crate::failure::has_no_leader;
use crate::leader::{ELECTION, Leaderless};
use crate::publisher::AmqpPublisher;
use crate::shared::Shared;
use crate::{reconnect, republish};

/// A consumer of one queue of RabbitMQ.
///
/// See the [crate's page](crate) for what it does with the queue.
pub struct Amqp {
    shared: Arc<Shared>,
    // A std mutex: it is held to put the handle in and to take it out.
    reconnecting: Mutex<Option<JoinHandle<()>>>,
}

impl Amqp {
    /// Where the broker is: `amqp://user:password@host:port/vhost`, with the vhost `/` written `%2f` or left out.
    ///
    /// The query may set `heartbeat` (seconds), `channel_max`, `frame_max`, `connection_timeout` (milliseconds) and
    /// `auth_mechanism`, see <https://www.rabbitmq.com/docs/uri-query-parameters>, and
    /// [`partitions`](crate::AmqpBuilder::partitions) and [`key`](crate::AmqpBuilder::partition_key). Any other
    /// parameter is an error. `amqps://` needs the feature `tls`.
    pub fn connect(url: impl Into<String>) -> AmqpAddress {
        AmqpAddress::new(url.into())
    }

    pub(crate) async fn open(builder: AmqpBuilder) -> Result<Self, TransportError> {
        let (broker, topology, consuming) = builder.validate()?;
        let shared = Arc::new(Shared::new(broker, topology, consuming));
        shared.check().await?;
        let reconnecting = Mutex::new(None);
        Ok(Self {
            shared,
            reconnecting,
        })
    }

    /// A publisher for the same queue, with a connection of its own that is made when it is first needed.
    #[must_use]
    pub fn publisher(&self) -> AmqpPublisher {
        let Shared {
            broker, topology, ..
        } = &*self.shared;
        AmqpPublisher::to_queue(broker.clone(), topology.clone())
    }

    fn reconnecting(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.reconnecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Amqp {
    fn source(&self) -> Option<String> {
        let queue = self.shared.topology.places.queue.as_str();
        Some(format!("{}/{queue}", self.shared.broker.address.place()))
    }

    fn delivery_order(&self) -> DeliveryOrder {
        let topology = &self.shared.topology;
        match (topology.has_one_consumer(), &topology.partitions) {
            (true, Some(_)) => DeliveryOrder::PerPartition,
            (true, None) => DeliveryOrder::OneConsumer,
            (false, _) => DeliveryOrder::OneQueue,
        }
    }

    fn status(&self) -> TransportStatus {
        self.shared.status()
    }

    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        self.shared.begin()?;
        let mut leaderless = Leaderless::default();
        let opened = loop {
            match self.shared.open_first(options).await {
                // The members of a queue that was declared a moment ago may still elect one.
                Err(error) if has_no_leader(&error) && !leaderless.is_to_be_told(&error) => {
                    sleep(ELECTION).await;
                }
                opened => break opened,
            }
        };
        let session = Arc::new(opened.inspect_err(|_| self.shared.begin_again())?);
        let (shared, first) = (Arc::clone(&self.shared), Arc::clone(&session));
        // Here and not only where it reconnects, so that `receive` and `settle` find it at once.
        self.shared.session.send_replace(Some(session));
        *self.reconnecting() = Some(reconnect::spawn(shared, options, first));
        tracing::info!(
            address = %self.shared.broker.address,
            queue = self.shared.topology.places.queue.as_str(),
            "consuming"
        );
        Ok(())
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        loop {
            self.shared.ensure_started()?;
            let mut sessions = self.shared.session.subscribe();
            let session = sessions.borrow_and_update().clone();
            if let Some(session) = session
                && let Some(deliveries) = session.receive(max).await
            {
                return Ok(deliveries);
            }
            tokio::select! {
                // It cannot fail: the sender is in `self`.
                _ = sessions.changed() => {}
                () = self.shared.closing() => {}
            }
        }
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        // Without a session every token is one of a connection that is gone.
        let Some(session) = self.shared.current() else {
            return Ok(());
        };
        let places = &self.shared.topology.places;
        let settlements = settlements
            .into_iter()
            .map(|one| (one.token, one.disposition));
        let copies = session.settle(
            settlements,
            |queue_consumer, acks, tag, (token, disposition)| {
                let copy = match disposition {
                    Disposition::Ack => {
                        acks.ack(tag);
                        return None;
                    }
                    Disposition::Defer(time) => acks.take(tag).map(|it| places.deferred(&it, time)),
                    Disposition::DeadLetter(reason) => {
                        let queue = queue_consumer.queue().as_str();
                        acks.take(tag)
                            .map(|it| places.dead_letter(&it, &reason, queue))
                    }
                };
                copy.map(|copy| (token, copy))
            },
        );
        if copies.is_empty() || session.is_dead() {
            return Ok(());
        }
        let sent = republish::spawn(Arc::clone(&self.shared), session, copies).await;
        sent.unwrap_or_else(|error| {
            Err(TransportError::unavailable("the runtime is shutting down").with_source(error))
        })
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.shared.end();
        let reconnecting = self.reconnecting().take();
        if let Some(reconnecting) = reconnecting {
            // It ends by itself; an error would be its panic, which has been reported.
            let _ = reconnecting.await;
        }
        // Copies that a dropped `settle` left behind, too: their originals are acknowledged before the channel closes.
        self.shared.sending.close();
        self.shared.sending.wait().await;
        let session = self.shared.session.send_replace(None);
        self.shared.publisher.close().await;
        let Some(session) = session else {
            return Ok(());
        };
        let address = &self.shared.broker.address;
        let closed = session.close().await;
        tracing::info!(%address, "consuming has ended");
        closed.map_err(|error| crate::failure::unavailable(address, error))
    }
}

/// What is not settled goes back to the broker, as after a crash.
impl Drop for Amqp {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(reconnecting) = self.reconnecting().take() {
            reconnecting.abort();
        }
        if let Some(session) = self.shared.session.send_replace(None) {
            session.flush();
            session.retire();
        }
    }
}

impl fmt::Debug for Amqp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amqp")
            .field("address", &self.shared.broker.address)
            .field("queue", &self.shared.topology.places.queue.as_str())
            .finish_non_exhaustive()
    }
}
