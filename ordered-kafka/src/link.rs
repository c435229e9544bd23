use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::transport::TransportError;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use tokio::task::spawn_blocking;

use crate::address::Address;
use crate::context::{Context, ReportedError};
use crate::options::Options;
use crate::{config, failure, names};

/// How long the words about a failure may come after it.
const ERROR_DELAY: Duration = Duration::from_millis(200);

/// A topic, and how it is to be used. Nothing is connected yet.
pub(crate) struct Link {
    pub(crate) address: Address,
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) options: Options,
}

impl Link {
    pub(crate) fn dead_letter_topic(&self) -> String {
        let chosen = self.options.dead_letter_topic.clone();
        chosen.unwrap_or_else(|| names::dead_letter_topic(&self.topic))
    }

    /// The group of Kafka in which it is kept how far the worker's group was; `None` where it is not.
    pub(crate) fn settled_group(&self) -> Option<String> {
        let chosen = self.options.settled_group.clone();
        let name = chosen.unwrap_or_else(|| names::settled_group(&self.group));
        (!name.is_empty()).then_some(name)
    }

    pub(crate) fn context(&self) -> Context {
        Context::new(&self.topic)
    }

    /// Whether the client takes its configuration; nothing is connected.
    pub(crate) fn check(&self) -> Result<(), TransportError> {
        if self.settled_group().as_ref() == Some(&self.group) {
            return Err(TransportError::fatal(
                "Kafka: `settled_group` is the group itself, whose offsets are its own",
            ));
        }
        let consumer = config::consumer(&self.address, &self.group);
        let checked = consumer.create_native_config().map(drop);
        checked.map_err(|error| failure::misconfigured(&error))
    }

    /// Whether there is such a topic.
    pub(crate) async fn find(self: &Arc<Self>) -> Result<(), TransportError> {
        let link = Arc::clone(self);
        let found =
            spawn_blocking(move || link.metadata_client()?.partitions(&link, &link.topic)).await;
        let found = found.map_err(|error| TransportError::fatal(format!("Kafka: {error}")))?;
        found.map(drop)
    }

    /// What to do about a topic that a broker refuses.
    pub(crate) fn refused(&self, topic: &str, code: Code) -> TransportError {
        let place = self.address.shown();
        let who = self.address.user();
        let who = who.map_or_else(|| "nobody".to_owned(), |user| format!("{user:?}"));
        TransportError::fatal(match code {
            Code::UnknownTopic | Code::UnknownTopicOrPartition => format!(
                "there is no topic `{topic}` at {place}: create it, with as many partitions as there may be workers at \
                 a time (`kafka-topics.sh --create --topic {topic} --partitions 12`)"
            ),
            Code::TopicAuthorizationFailed => format!(
                "the user ({who}) has no right to the topic `{topic}` at {place}: allow the operations DESCRIBE, and \
                 READ to a worker or WRITE to a producer"
            ),
            Code::InvalidTopic => format!("`{topic}` cannot be the name of a topic"),
            _ => format!("the topic `{topic}` at {place} cannot be used ({code})"),
        })
    }

    /// A client that asks.
    pub(crate) fn metadata_client(&self) -> Result<MetadataClient, TransportError> {
        let config = config::client(&self.address);
        let client = self.create(&config)?;
        let limit = self.options.answer_within;
        Ok(MetadataClient { client, limit })
    }

    fn create(&self, config: &ClientConfig) -> Result<BaseConsumer<Context>, TransportError> {
        let created = config.create_with_context(self.context());
        created.map_err(|error| failure::misconfigured(&error))
    }
}

/// A client that asks about topics. Its calls block.
pub(crate) struct MetadataClient {
    client: BaseConsumer<Context>,
    limit: Duration,
}

impl MetadataClient {
    /// About one topic; it is not created by this.
    pub(crate) fn metadata(&self, topic: &str) -> KafkaResult<Metadata> {
        self.client.fetch_metadata(Some(topic), self.limit)
    }

    /// The partitions of a topic.
    pub(crate) fn partitions(&self, link: &Link, topic: &str) -> Result<Vec<i32>, TransportError> {
        let metadata = self
            .metadata(topic)
            .map_err(|error| self.explain(&link.address, &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        if let Some(code) = found.and_then(|found| found.error()) {
            return Err(link.refused(topic, code.into()));
        }
        let partitions = found.map_or(&[][..], |found| found.partitions());
        if partitions.is_empty() {
            return Err(link.refused(topic, Code::UnknownTopicOrPartition));
        }
        Ok(partitions.iter().map(|partition| partition.id()).collect())
    }

    /// The first offset of a partition, and the one after its last.
    pub(crate) fn watermarks(&self, topic: &str, partition: i32) -> KafkaResult<(i64, i64)> {
        self.client.fetch_watermarks(topic, partition, self.limit)
    }

    /// What the client said about it, beside the error itself.
    pub(crate) fn last_error(&self) -> Option<ReportedError> {
        // What it says lies in its queue.
        while self.client.poll(ERROR_DELAY).is_some() {}
        self.client.context().last_error()
    }

    /// Why nothing worked at the start.
    pub(crate) fn explain(&self, address: &Address, error: &KafkaError) -> TransportError {
        failure::at_start(address, error, self.last_error())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .field("topic", &self.topic)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
