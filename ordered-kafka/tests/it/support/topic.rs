use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ordered_core::event::Envelope;
use ordered_core::transport::Publish;
use ordered_kafka::{Kafka, KafkaBuilder, KafkaPublisher, names};
use ordered_testkit::server::KafkaServer;
use ordered_testkit::transport_suite::DeadLetter;
use ordered_testkit::{eventually, unique};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::OnceCell;

const ANSWER: Duration = Duration::from_secs(20);

/// A topic that nobody else uses.
pub(crate) struct Topic {
    pub(crate) url: String,
    pub(crate) name: String,
    address: String,
    publisher: OnceCell<KafkaPublisher>,
}

impl Topic {
    /// On the broker that the tests of this process share.
    pub(crate) async fn shared(partitions: i32) -> Self {
        Self::with(partitions, &[]).await
    }

    /// With settings such as `("retention.ms", "1000")`.
    pub(crate) async fn with(partitions: i32, settings: &[(&str, &str)]) -> Self {
        let server = KafkaServer::shared().await.unwrap();
        Self::on(server, partitions, settings).await
    }

    pub(crate) async fn on(
        server: &KafkaServer,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Self {
        let topic = Self {
            url: server.url(),
            name: unique("orders"),
            address: server.address(),
            publisher: OnceCell::new(),
        };
        topic.create(partitions, settings).await;
        topic
    }

    /// The name of a new topic on a broker that asks for a user.
    pub(crate) async fn on_with_user(server: &KafkaServer, user: &str, password: &str) -> String {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", server.address())
            .set("security.protocol", "sasl_plaintext")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", user)
            .set("sasl.password", password);
        let admin: AdminClient<_> = config.create().unwrap();
        let name = unique("orders");
        let new = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
        let created = admin.create_topics([&new], &options()).await.unwrap();
        created[0].as_ref().unwrap();
        is_known(&config, &name).await;
        name
    }

    pub(crate) async fn create(&self, partitions: i32, settings: &[(&str, &str)]) {
        let mut new = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1));
        // Room for what a test of large events sends.
        new = new.set("max.message.bytes", "4000000");
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let created = self
            .admin()
            .create_topics([&new], &options())
            .await
            .unwrap();
        created[0].as_ref().unwrap();
        is_known(&self.config(), &self.name).await;
    }

    /// From now on it has so many partitions.
    pub(crate) async fn grow(&self, partitions: usize) {
        let new = NewPartitions::new(&self.name, partitions);
        let grown = self.admin().create_partitions([&new], &options()).await;
        grown.unwrap()[0].as_ref().unwrap();
    }

    pub(crate) async fn delete(&self) {
        let deleted = self.admin().delete_topics(&[&self.name], &options()).await;
        deleted.unwrap()[0].as_ref().unwrap();
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    /// A consumer or a producer. A member that vanishes is found dead soon, but not by a busy machine.
    pub(crate) fn connect(&self) -> KafkaBuilder {
        Kafka::connect(format!("{}?session.timeout.ms=6000", self.url)).topic(&self.name)
    }

    pub(crate) async fn publisher(&self) -> KafkaPublisher {
        let connect = async || self.connect().publisher().await.unwrap();
        self.publisher.get_or_init(connect).await.clone()
    }

    pub(crate) async fn publish(&self, envelopes: impl IntoIterator<Item = Envelope>) {
        let publisher = self.publisher().await;
        publisher
            .publish(envelopes.into_iter().collect())
            .await
            .unwrap();
    }

    /// Events with these bodies, in one partition.
    pub(crate) async fn publish_numbered(&self, numbers: std::ops::Range<usize>) {
        self.publish(numbers.map(|number| keyed("one", &number.to_string())))
            .await;
    }

    /// What the group has committed, by partition; those without are left out.
    pub(crate) fn committed(&self, group: &str) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let metadata = consumer.fetch_metadata(Some(&self.name), ANSWER).unwrap();
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            list.add_partition(&self.name, partition.id());
        }
        let deadline = Instant::now() + ANSWER;
        let committed = loop {
            match consumer.committed_offsets(list.clone(), ANSWER) {
                Ok(committed) => break committed,
                // A new broker has not loaded its groups yet.
                Err(error) if Instant::now() > deadline => panic!("{error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let elements = committed.elements();
        let offsets = elements
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(offset) => Some((element.partition(), offset)),
                _ => None,
            });
        offsets.collect()
    }

    /// Sets offsets of a group, as `kafka-consumer-groups.sh --reset-offsets` does: nobody may be in it.
    pub(crate) fn set_offsets(&self, group: &str, offsets: impl IntoIterator<Item = (i32, i64)>) {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let offset = Offset::Offset(offset);
            list.add_partition_offset(&self.name, partition, offset)
                .unwrap();
        }
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    /// The group in which it is kept how far the group of the topic's name was.
    pub(crate) fn settled_group(&self) -> String {
        format!("{}.settled", self.name)
    }

    /// All that the group has committed, over all partitions.
    pub(crate) fn committed_in_all(&self, group: &str) -> i64 {
        self.committed(group).values().sum()
    }

    /// All records of a topic, from the first to the last that there is now.
    pub(crate) fn read(&self, topic: &str) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = self.config().set("group.id", "reader").create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER).unwrap();
        let (mut list, mut count) = (TopicPartitionList::new(), 0);
        for partition in metadata.topics()[0].partitions() {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition.id(), ANSWER)
                .unwrap();
            list.add_partition_offset(topic, partition.id(), Offset::Beginning)
                .unwrap();
            count += usize::try_from(high - low).unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut messages = Vec::new();
        while messages.len() < count {
            let message = consumer.poll(ANSWER).expect("a record comes").unwrap();
            messages.push(message.detach());
        }
        messages
    }

    pub(crate) fn dead_letter_topic(&self) -> String {
        format!("{}.dead", self.name)
    }

    pub(crate) fn has_dead_letters(&self) -> bool {
        let consumer: BaseConsumer = self.config().create().unwrap();
        let metadata = consumer.fetch_metadata(None, ANSWER).unwrap();
        let dead = self.dead_letter_topic();
        metadata.topics().iter().any(|topic| topic.name() == dead)
    }

    /// What is in the topic for dead letters, if there is one.
    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        if !self.has_dead_letters() {
            return Vec::new();
        }
        let letters = self.read(&self.dead_letter_topic());
        letters.iter().map(|letter| self.letter(letter)).collect()
    }

    fn letter(&self, message: &OwnedMessage) -> DeadLetter {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let mut headers: BTreeMap<String, String> = headers
            .filter_map(|header| {
                let value = String::from_utf8(header.value?.to_vec()).ok()?;
                Some((header.key.to_owned(), value))
            })
            .collect();
        let mut taken = |name: &str| headers.remove(name).unwrap_or_else(|| panic!("{name}"));
        let (kind, text) = (taken(names::REASON), taken(names::REASON_TEXT));
        assert_eq!(taken(names::TOPIC), self.name);
        taken(names::DEAD_PARTITION).parse::<i32>().unwrap();
        taken(names::DEAD_OFFSET).parse::<i64>().unwrap();
        taken(names::DEAD_TIMESTAMP).parse::<i64>().unwrap();
        let mut envelope = Envelope::new(message.payload().unwrap_or_default().to_vec());
        envelope.headers = headers;
        DeadLetter {
            envelope,
            kind,
            text,
        }
    }
}

/// The controller answers before the broker has heard of a topic.
async fn is_known(config: &ClientConfig, name: &str) {
    let client: BaseConsumer = config.create().unwrap();
    eventually("the broker knows the topic", async || {
        let metadata = client.fetch_metadata(Some(name), ANSWER);
        metadata.is_ok_and(|metadata| metadata.topics()[0].error().is_none())
    })
    .await;
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(ANSWER))
        .request_timeout(Some(ANSWER))
}

/// An event with a record key.
pub(crate) fn keyed(key: &str, body: &str) -> Envelope {
    let mut envelope = Envelope::new(body.to_owned());
    let header = (names::KEY.to_owned(), key.to_owned());
    envelope.headers.extend([header]);
    envelope
}
