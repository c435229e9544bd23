use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::transport::TransportError;

use crate::address::Address;
use crate::link::Link;
use crate::options::Options;
use crate::{Kafka, KafkaDeadLetters, KafkaPublisher};

/// A topic that is about to be connected to: choose, then `.await`.
#[must_use = "nothing happens until it is awaited"]
pub struct KafkaBuilder {
    url: String,
    topic: Option<String>,
    group: Option<String>,
    options: Options,
}

impl KafkaBuilder {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            topic: None,
            group: None,
            options: Options::default(),
        }
    }

    /// The topic.
    pub fn topic(mut self, name: impl Into<String>) -> Self {
        self.topic = Some(name.into());
        self
    }

    /// The consumer group of Kafka, which shares the partitions among its members, in place of the one in the URL.
    /// Default: the name of the topic.
    ///
    /// Workers of one group of `ordered` are in one group of Kafka, and those of another are in another.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// How often what is settled is committed, if there is something. Default 200 milliseconds.
    ///
    /// After a crash the events that were settled since are delivered again, and recognised.
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.options.commit_interval = interval;
        self
    }

    /// How many events of a partition may be deferred at a time, before the partition is paused. Default 100.
    ///
    /// The worker defers what it cannot take, such as an event of a key that holds as many as it may. Deferred events
    /// wait in the memory of this process.
    pub fn max_deferred(mut self, events: usize) -> Self {
        self.options.max_deferred = events;
        self
    }

    /// How many offsets of a partition may lie between the first one that is not settled and the last one that was
    /// read, before the partition is paused. Default 100,000.
    ///
    /// After a crash so many events are delivered again at the most, and recognised.
    pub fn max_uncommitted(mut self, offsets: u64) -> Self {
        self.options.max_uncommitted = offsets;
        self
    }

    /// The topic for dead letters, in place of `<topic>.dead`.
    pub fn dead_letter_topic(mut self, name: impl Into<String>) -> Self {
        self.options.dead_letter_topic = Some(name.into());
        self
    }

    /// Whether to create the topic for dead letters when there is none. Default yes: with the first dead letter, with
    /// one partition, as many copies as the topic has, and without an end to its retention.
    pub fn create_dead_letter_topic(mut self, create: bool) -> Self {
        self.options.create_dead_letter_topic = create;
        self
    }

    /// Where a published event has its record key, in place of the `key` of the URL: the header of this name, or else
    /// the top-level field of its JSON. A header [`kafka.key`](crate::names::KEY) goes before it.
    pub fn key(mut self, name: impl Into<String>) -> Self {
        self.options.key = Some(name.into());
        self
    }

    /// How long the brokers may take for an answer at the start, and for the end of the membership when closing.
    /// Default 10 seconds.
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.options.answer_within = time;
        self
    }

    /// The group of Kafka in whose offsets it is kept how far this group has settled each partition at the most, in
    /// place of `<group>.settled`. Nobody is a member of it. With an empty name nothing is kept.
    ///
    /// From there a worker knows that offsets were set back on purpose: of the events that are read again those that
    /// are stale are acknowledged, and counted as `rewound`. Those of a producer that numbers anew are in new records,
    /// and `on_stale` says what happens to them. A worker that has no right to the group says so, and cannot tell the
    /// two apart.
    pub fn settled_group(mut self, name: impl Into<String>) -> Self {
        self.options.settled_group = Some(name.into());
        self
    }

    /// A publisher to the topic, without a consumer; the topic has been found when this returns.
    ///
    /// # Errors
    /// As awaiting the builder, when the brokers do not answer, and when there is no such topic.
    pub async fn publisher(self) -> Result<KafkaPublisher, TransportError> {
        let link = self.link()?;
        link.find().await?;
        KafkaPublisher::new(link)
    }

    /// The dead letters of the topic, to look at and to put back. Nothing is created.
    ///
    /// # Errors
    /// As awaiting the builder, when the brokers do not answer, and when there is no topic for dead letters.
    pub async fn dead_letters(self) -> Result<KafkaDeadLetters, TransportError> {
        KafkaDeadLetters::open(self.link()?).await
    }

    fn link(self) -> Result<Arc<Link>, TransportError> {
        let address = Address::parse(&self.url)?;
        let topic = self.topic.filter(|topic| !topic.is_empty());
        let topic = topic.ok_or_else(|| {
            TransportError::fatal(
                "Kafka: no topic is named: add `.topic(\"…\")`, or give it as the queue",
            )
        })?;
        let mut options = self.options.validated(&topic)?;
        options.key = options.key.or_else(|| address.key.clone());
        let group = self.group.or_else(|| address.group.clone());
        let link = Link {
            group: group.unwrap_or_else(|| topic.clone()),
            address,
            topic,
            options,
        };
        link.check()?;
        Ok(Arc::new(link))
    }
}

/// `.await` reads the URL and the properties of the client. The brokers are asked first when the worker starts.
///
/// # Errors
/// When the URL, a property or an option is wrong, with what to do about it.
impl IntoFuture for KafkaBuilder {
    type Output = Result<Kafka, TransportError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Ok(Kafka::new(self.link()?)) })
    }
}

/// The URL may have a secret in it.
impl fmt::Debug for KafkaBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaBuilder")
            .field("topic", &self.topic)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
