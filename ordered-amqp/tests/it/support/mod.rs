//! A queue of a test's own, and a plain client to look behind the transport.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use ordered_amqp::{Amqp, AmqpBuilder, QueueKind};
use ordered_core::event::Envelope;
use ordered_core::transport::{
    ConsumeOptions, Delivery, Disposition, Publish, Settlement, Transport, TransportErrorKind,
};
use ordered_testkit::proxy::Proxy;
use ordered_testkit::server::RabbitServer;
use ordered_testkit::transport_suite::{DeadLetter, TransportFixture};
use ordered_testkit::unique;
use tokio::time::{Instant, timeout_at};

/// A queue on the shared server, of a kind.
pub(crate) struct Queue {
    pub(crate) url: String,
    pub(crate) name: String,
    kind: Option<QueueKind>,
    partitions: Option<u16>,
}

impl Queue {
    pub(crate) async fn of(kind: QueueKind) -> Self {
        Self::at(RabbitServer::shared().await.unwrap(), Some(kind))
    }

    pub(crate) async fn shared() -> Self {
        Self::at(RabbitServer::shared().await.unwrap(), None)
    }

    pub(crate) fn at(server: &RabbitServer, kind: Option<QueueKind>) -> Self {
        Self {
            url: server.url(),
            name: unique("events"),
            kind,
            partitions: None,
        }
    }

    /// One with so many partitions.
    pub(crate) async fn partitioned(partitions: u16) -> Self {
        Self::shared().await.with_partitions(partitions)
    }

    /// The same queue, with so many partitions.
    pub(crate) fn with_partitions(&self, partitions: u16) -> Self {
        Self {
            url: self.url.clone(),
            name: self.name.clone(),
            kind: self.kind,
            partitions: Some(partitions),
        }
    }

    pub(crate) async fn behind_a_proxy(server: &RabbitServer) -> (Proxy, Self) {
        let proxy = Proxy::start(server.port()).await.unwrap();
        let queue = Self::through(server, proxy.port());
        (proxy, queue)
    }

    /// A queue on a server that is reached through another port.
    pub(crate) fn through(server: &RabbitServer, port: u16) -> Self {
        let mut queue = Self::at(server, None);
        let direct = server.port().to_string();
        queue.url = queue.url.replace(&direct, &port.to_string());
        queue
    }

    pub(crate) fn builder(&self) -> AmqpBuilder {
        let quickly = Duration::from_millis(50);
        let builder = Amqp::connect(&self.url)
            .queue(&self.name)
            .reconnect_backoff(quickly, 10 * quickly);
        let builder = match self.kind {
            Some(kind) => builder.kind(kind),
            None => builder,
        };
        match self.partitions {
            Some(partitions) => builder.partitions(partitions),
            None => builder,
        }
    }

    pub(crate) async fn started(&self, max_unsettled: usize) -> Amqp {
        let transport = self.builder().await.unwrap();
        transport
            .start(ConsumeOptions { max_unsettled })
            .await
            .unwrap();
        transport
    }

    pub(crate) async fn publish(&self, envelopes: impl IntoIterator<Item = Envelope>) {
        let publisher = self.builder().publisher().await.unwrap();
        let envelopes = envelopes.into_iter().collect();
        publisher.publish(envelopes).await.unwrap();
        publisher.close().await;
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.url).await
    }
}

/// How many events may be unsettled, where that is no matter.
const OPTIONS: ConsumeOptions = ConsumeOptions { max_unsettled: 100 };

/// The transport, which consumes.
pub(crate) async fn started(builder: AmqpBuilder) -> Amqp {
    let transport = builder.await.unwrap();
    transport.start(OPTIONS).await.unwrap();
    transport
}

/// What a transport says that cannot work.
pub(crate) async fn refusal(builder: AmqpBuilder) -> String {
    let error = match builder.await {
        Err(error) => error,
        Ok(transport) => transport.start(OPTIONS).await.unwrap_err(),
    };
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    error.to_string()
}

/// `count` events with different bodies.
pub(crate) fn numbered(count: usize) -> Vec<Envelope> {
    (0..count).map(|n| Envelope::new(n.to_string())).collect()
}

/// Exactly this many deliveries.
pub(crate) async fn take(transport: &Amqp, count: usize) -> Vec<Delivery> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut taken = Vec::new();
    while taken.len() < count {
        let received = timeout_at(deadline, transport.receive(count - taken.len())).await;
        let received = received.unwrap_or_else(|_| panic!("{} of {count} came", taken.len()));
        taken.extend(received.unwrap());
    }
    taken
}

pub(crate) async fn settle(transport: &Amqp, delivery: &Delivery, disposition: Disposition) {
    let token = delivery.token;
    let settled = transport
        .settle(vec![Settlement { token, disposition }])
        .await;
    settled.unwrap();
}

pub(crate) async fn ack(transport: &Amqp, deliveries: &[Delivery]) {
    let settlements = deliveries.iter().map(|delivery| Settlement {
        token: delivery.token,
        disposition: Disposition::Ack,
    });
    transport.settle(settlements.collect()).await.unwrap();
}

/// A plain client.
pub(crate) struct Client {
    pub(crate) channel: Channel,
    connection: Connection,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(url, properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let confirms = ConfirmSelectOptions::default();
        channel.confirm_select(confirms).await.unwrap();
        Self {
            channel,
            connection,
        }
    }

    pub(crate) async fn declare(&self, queue: &str, arguments: &[(&str, AMQPValue)]) {
        self.try_declare(queue, arguments).await.unwrap();
    }

    /// A refusal closes the channel.
    pub(crate) async fn try_declare(
        &self,
        queue: &str,
        arguments: &[(&str, AMQPValue)],
    ) -> lapin::Result<()> {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        let options = QueueDeclareOptions::durable();
        let declared = self.channel.queue_declare(queue.into(), options, table);
        declared.await.map(|_| ())
    }

    pub(crate) async fn delete(&self, queue: &str) {
        let options = QueueDeleteOptions::default();
        self.channel
            .queue_delete(queue.into(), options)
            .await
            .unwrap();
    }

    pub(crate) async fn publish(&self, queue: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let exchange = "".into();
        let published =
            self.channel
                .basic_publish(exchange, queue.into(), options, body, properties);
        published.await.unwrap().await.unwrap();
    }

    /// The next message, gone from the queue.
    pub(crate) async fn get(&self, queue: &str) -> Option<(Bytes, BasicProperties)> {
        let options = BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get(queue.into(), options).await.unwrap();
        got.map(|it| (it.delivery.data.into(), it.delivery.properties))
    }

    /// How many messages are ready in the queue; `None` if there is no such queue.
    pub(crate) async fn count(&self, queue: &str) -> Option<u32> {
        // On a channel of its own, which the broker closes when there is no such queue.
        let channel = self.connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions::durable().passive();
        let declared = channel.queue_declare(queue.into(), passive, FieldTable::default());
        declared.await.ok().map(|queue| queue.message_count())
    }
}

impl TransportFixture for Queue {
    fn is_brokers_own(&self, header: &str) -> bool {
        // It chose the partition.
        self.partitions.is_some() && header == "amqp.routing_key"
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.builder().await.unwrap())
    }

    async fn publisher(&self) -> Arc<dyn Publish> {
        Arc::new(self.builder().publisher().await.unwrap())
    }

    async fn dead_letters(&self) -> Vec<DeadLetter> {
        let client = self.client().await;
        let mut dead = Vec::new();
        while let Some((body, properties)) = client.get(&format!("{}.dead", self.name)).await {
            dead.push(dead_letter(body, &properties));
        }
        dead
    }
}

fn dead_letter(body: Bytes, properties: &BasicProperties) -> DeadLetter {
    let mut envelope = Envelope::new(body);
    for (name, value) in properties.headers().as_ref().unwrap().inner() {
        if let AMQPValue::LongString(text) = value {
            envelope.headers.insert(name.to_string(), text.to_string());
        }
    }
    let mut take = |name: &str| envelope.headers.remove(name).expect(name);
    let (kind, text) = (take("x-ordered-reason"), take("x-ordered-reason-text"));
    for name in ["queue", "exchange", "routing-key"] {
        take(&format!("x-ordered-{name}"));
    }
    envelope.headers.remove("x-ordered-partitions");
    DeadLetter {
        envelope,
        kind,
        text,
    }
}
