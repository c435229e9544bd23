use std::sync::Arc;

use ordered_amqp::Amqp;
use ordered_core::event::Envelope;
use ordered_core::transport::{
    ConsumeOptions, Delivery, Disposition, Publish, Reason, ReasonKind, Settlement, Transport,
};
use ordered_sqs::Sqs;
use ordered_testkit::server::{RabbitServer, SqsServer};
use ordered_testkit::unique;

use super::{CommandOutput, Fixture};

/// A queue at a broker, with dead letters.
pub(crate) struct BrokerQueue {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) dead: String,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) publisher: Arc<dyn Publish>,
}

impl BrokerQueue {
    pub(crate) async fn rabbit() -> Self {
        let (url, name) = (
            RabbitServer::shared().await.unwrap().url(),
            unique("events"),
        );
        let transport = Amqp::connect(&url).queue(&name).await.unwrap();
        let publisher = Amqp::connect(&url).queue(&name).publisher().await.unwrap();
        Self {
            dead: format!("{name}.dead"),
            url,
            name,
            transport: Arc::new(transport),
            publisher: Arc::new(publisher),
        }
    }

    pub(crate) async fn sqs() -> Self {
        let (server, name) = (SqsServer::shared().await.unwrap(), unique("events"));
        server.create_queue(&name, &[]).await.unwrap();
        let url = server.url(&name);
        let second = std::time::Duration::from_secs(1);
        let transport = Sqs::connect(&url).wait(second).await.unwrap();
        let publisher = Sqs::connect(&url).publisher().await.unwrap();
        Self {
            dead: format!("{name}-dead"),
            url,
            name,
            transport: Arc::new(transport),
            publisher: Arc::new(publisher),
        }
    }

    #[cfg(feature = "kafka")]
    pub(crate) async fn kafka() -> Self {
        use ordered_kafka::Kafka;
        use ordered_testkit::server::KafkaServer;

        let (server, name) = (KafkaServer::shared().await.unwrap(), unique("events"));
        server.create_topic(&name, 2, &[]).await.unwrap();
        let url = server.url();
        let transport = Kafka::connect(&url).topic(&name).await.unwrap();
        let publisher = Kafka::connect(&url).topic(&name).publisher().await.unwrap();
        Self {
            dead: format!("{name}.dead"),
            url,
            name,
            transport: Arc::new(transport),
            publisher: Arc::new(publisher),
        }
    }

    /// Events become dead letters.
    pub(crate) async fn dead_letter(&self, letters: &[(&str, ReasonKind, &str)]) {
        let events = letters.iter().map(|(body, ..)| {
            let mut envelope = Envelope::new((*body).to_owned());
            envelope.headers.insert("tenant".into(), "acme".into());
            envelope
        });
        self.publisher.publish(events.collect()).await.unwrap();
        let max_unsettled = letters.len();
        self.transport
            .start(ConsumeOptions { max_unsettled })
            .await
            .unwrap();
        let settlements = self
            .receive(letters.len())
            .await
            .into_iter()
            .map(|delivery| {
                let body = String::from_utf8_lossy(&delivery.envelope.body).into_owned();
                let (_, kind, text) = letters.iter().find(|(of, ..)| *of == body).unwrap();
                let reason = Reason {
                    kind: *kind,
                    text: (*text).to_owned(),
                };
                Settlement {
                    token: delivery.token,
                    disposition: Disposition::DeadLetter(reason),
                }
            });
        self.transport.settle(settlements.collect()).await.unwrap();
    }

    pub(crate) async fn receive(&self, count: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while deliveries.len() < count {
            deliveries.extend(self.transport.receive(count).await.unwrap());
        }
        deliveries
    }

    pub(crate) async fn three(&self) {
        self.dead_letter(&[
            (
                r#"{"order_id":"order-17","seq":"x"}"#,
                ReasonKind::Malformed,
                "`seq` is not a number",
            ),
            (
                r#"{"order_id":"order-18"}"#,
                ReasonKind::Malformed,
                "no field `seq`",
            ),
            (
                r#"{"order_id":"order-17","seq":2}"#,
                ReasonKind::Late,
                "seq 2 was passed over",
            ),
        ])
        .await;
    }

    pub(crate) async fn ordered(&self, fixture: &Fixture, line: &str) -> CommandOutput {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = vec![verb, "--transport", &self.url, "--queue", &self.name];
        words.extend(rest.split(' ').filter(|word| !word.is_empty()));
        fixture.run(&words).await
    }
}
