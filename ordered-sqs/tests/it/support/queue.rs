use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_sqs::{Client, Config};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use ordered_core::event::Envelope;
use ordered_core::transport::Publish;
use ordered_sqs::{Sqs, SqsBuilder, names};
use ordered_testkit::server::SqsServer;
use ordered_testkit::transport_suite::DeadLetter;
use ordered_testkit::unique;

/// A queue of the shared emulator that nobody else uses.
pub(crate) struct Queue {
    pub(crate) server: &'static SqsServer,
    pub(crate) name: String,
    pub(crate) dead_letters: String,
}

impl Queue {
    /// Its dead letters go to the queue that the transport makes.
    pub(crate) async fn standard(visibility: &str) -> Self {
        let name = unique("orders");
        let dead = format!("{name}-dead");
        Self::create(name, dead, &[("VisibilityTimeout", visibility)]).await
    }

    /// The same as a FIFO queue.
    pub(crate) async fn fifo(visibility: &str) -> Self {
        let name = unique("orders");
        let dead = format!("{name}-dead.fifo");
        let name = format!("{name}.fifo");
        Self::create(name, dead, &[("VisibilityTimeout", visibility)]).await
    }

    /// With a redrive policy, whose target goes by another name; `fifo` is `.fifo` or nothing.
    pub(crate) async fn with_redrive(visibility: &str, max_receives: &str, fifo: &str) -> Self {
        let name = unique("orders");
        let dead = format!("{name}-redriven{fifo}");
        let server = server().await;
        server.create_queue(&dead, &[]).await.unwrap();
        let policy = format!(
            r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{dead}","maxReceiveCount":"{max_receives}"}}"#
        );
        let attributes = [
            ("VisibilityTimeout", visibility),
            ("RedrivePolicy", &policy),
        ];
        Self::create(format!("{name}{fifo}"), dead, &attributes).await
    }

    async fn create(name: String, dead_letters: String, attributes: &[(&str, &str)]) -> Self {
        let server = server().await;
        server.create_queue(&name, attributes).await.unwrap();
        Self {
            server,
            name,
            dead_letters,
        }
    }

    /// A consumer or producer, with short waits.
    pub(crate) fn connect(&self) -> SqsBuilder {
        Sqs::connect(self.server.url(&self.name)).wait(Duration::from_secs(1))
    }

    pub(crate) async fn publish(&self, envelopes: Vec<Envelope>) {
        let producer = self.connect().publisher().await.unwrap();
        producer.publish(envelopes).await.unwrap();
    }

    pub(crate) fn client(&self) -> Client {
        client(self.server.endpoint())
    }

    async fn url_of(&self, queue: &str) -> String {
        let output = self.client().get_queue_url().queue_name(queue).send().await;
        output.unwrap().queue_url.unwrap()
    }

    /// How many messages are in the queue, seen and unseen.
    pub(crate) async fn backlog(&self) -> u64 {
        let url = self.url_of(&self.name).await;
        let call = self.client().get_queue_attributes().queue_url(url);
        let output = call.attribute_names(QueueAttributeName::All).send().await;
        let attributes = output.unwrap().attributes.unwrap();
        [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ]
        .map(|name| attributes[&name].parse::<u64>().unwrap())
        .iter()
        .sum()
    }

    /// What is in the queue for dead letters, which is left as it is.
    pub(crate) async fn read_dead_letters(&self) -> Vec<DeadLetter> {
        let (client, url) = (self.client(), self.url_of(&self.dead_letters).await);
        let mut letters = Vec::new();
        let mut receipts = Vec::new();
        loop {
            let call = client.receive_message().queue_url(&url);
            let call = call
                .max_number_of_messages(10)
                .message_attribute_names("All");
            let messages = call.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                receipts.push(message.receipt_handle.unwrap());
                let attributes = message.message_attributes.unwrap_or_default();
                let mut headers: BTreeMap<String, String> = attributes
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.string_value?)))
                    .collect();
                let kind = headers.remove(names::REASON).unwrap();
                let text = headers.remove(names::REASON_TEXT).unwrap();
                assert_eq!(headers.remove(names::QUEUE).as_ref(), Some(&self.name));
                assert!(headers.remove(names::MESSAGE_ID).is_some());
                headers.remove(names::PUBLISHED_AT);
                let mut envelope = Envelope::new(message.body.unwrap());
                envelope.headers = headers;
                letters.push(DeadLetter {
                    envelope,
                    kind,
                    text,
                });
            }
        }
        for receipt in receipts {
            let call = client.change_message_visibility().queue_url(&url);
            let call = call.receipt_handle(receipt).visibility_timeout(0);
            call.send().await.unwrap();
        }
        letters
    }
}

async fn server() -> &'static SqsServer {
    SqsServer::shared().await.unwrap()
}

fn client(endpoint: String) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .http_client(http)
        .build();
    Client::from_conf(config)
}
