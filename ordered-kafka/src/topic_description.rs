use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ordered_core::transport::TransportError;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataBroker;
use tokio::task::spawn_blocking;

use crate::context::Context;
use crate::link::{Link, MetadataClient};
use crate::{config, failure};

/// How long to wait for what passes.
const SOON: Duration = Duration::from_millis(100);

/// What a topic and its brokers are set to promise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TopicDescription {
    pub(crate) partitions: usize,
    /// Copies of the partition that has fewest.
    pub(crate) replicas: usize,
    pub(crate) brokers: usize,
    /// The broker that leads the first partition.
    pub(crate) leader: i32,
    /// What the topic holds, all that was read included.
    pub(crate) records: u64,
    /// The settings of the topic, also those that it has of its broker; `None` where they may not be read.
    pub(crate) topic: Option<Settings>,
    /// The settings of a broker.
    pub(crate) broker: Option<Settings>,
}

/// Settings by their names in Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings(pub(crate) BTreeMap<String, String>);

impl Settings {
    fn of(resource: &ConfigResource) -> Self {
        let entries = resource.entries.iter();
        let set = entries.filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
        Self(set.collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }
}

impl TopicDescription {
    /// Asks the brokers, each that leads a partition, so that one that cannot be reached from here is noticed now.
    pub(crate) async fn fetch(link: &Arc<Link>) -> Result<Self, TransportError> {
        let blocking = Arc::clone(link);
        let asked = spawn_blocking(move || fetch_from_brokers(&blocking)).await;
        let mut description = asked.map_err(|error| {
            TransportError::fatal(format!("Kafka: asking about the topic failed: {error}"))
        })??;
        let admin: AdminClient<_> = config::client(&link.address)
            .create_with_context(link.context())
            .map_err(|error| failure::misconfigured(&error))?;
        let options = AdminOptions::new().request_timeout(Some(link.options.answer_within));
        let topic = ResourceSpecifier::Topic(&link.topic);
        description.topic = describe(&admin, &topic, &options).await;
        let broker = ResourceSpecifier::Broker(description.leader);
        description.broker = describe(&admin, &broker, &options).await;
        Ok(description)
    }
}

/// The settings, where they may be read: they are for a report, and nothing depends on them.
async fn describe(
    admin: &AdminClient<Context>,
    what: &ResourceSpecifier<'_>,
    options: &AdminOptions,
) -> Option<Settings> {
    let described = admin.describe_configs([what], options).await.ok()?;
    described.first()?.as_ref().ok().map(Settings::of)
}

fn fetch_from_brokers(link: &Link) -> Result<TopicDescription, TransportError> {
    let metadata_client = link.metadata_client()?;
    let topic = &link.topic;
    let metadata = metadata_client
        .metadata(topic)
        .map_err(|error| metadata_client.explain(&link.address, &error))?;
    let described = metadata.topics().iter().find(|found| found.name() == topic);
    let error = described.and_then(|found| found.error()).map(Code::from);
    if let Some(code) = error {
        return Err(link.refused(topic, code));
    }
    let partitions = described.map_or(&[][..], |found| found.partitions());
    let Some(first) = partitions.first() else {
        return Err(link.refused(topic, Code::UnknownTopicOrPartition));
    };
    let mut description = TopicDescription {
        partitions: partitions.len(),
        replicas: partitions
            .iter()
            .map(|p| p.replicas().len())
            .min()
            .unwrap_or(0),
        brokers: metadata.brokers().len(),
        leader: first.leader(),
        ..TopicDescription::default()
    };
    let deadline = Instant::now() + link.options.answer_within;
    for partition in partitions {
        // One without a leader has an error, and is waited for.
        if partition.leader() < 0 {
            continue;
        }
        loop {
            let error = match metadata_client.watermarks(topic, partition.id()) {
                Ok((low, high)) => {
                    description.records += u64::try_from(high - low).unwrap_or(0);
                    break;
                }
                Err(error) => error,
            };
            match error.rdkafka_error_code() {
                Some(code) if is_refusal(code) => return Err(link.refused(topic, code)),
                // The broker answers, and does not know yet that it leads the partition, or that another does.
                Some(code) if is_passing(code) => {
                    if Instant::now() > deadline {
                        break;
                    }
                    thread::sleep(SOON);
                }
                _ => {
                    let leads = |broker: &&MetadataBroker| broker.id() == partition.leader();
                    let broker = metadata.brokers().iter().find(leads);
                    return Err(unreachable(
                        link,
                        &metadata_client,
                        partition.id(),
                        broker,
                        &error,
                    ));
                }
            }
        }
    }
    Ok(description)
}

fn unreachable(
    link: &Link,
    metadata_client: &MetadataClient,
    partition: i32,
    broker: Option<&MetadataBroker>,
    error: &KafkaError,
) -> TransportError {
    let place = broker.map_or_else(String::new, |b| format!("{}:{}", b.host(), b.port()));
    let text = metadata_client
        .last_error()
        .map_or_else(|| error.to_string(), |words| words.text);
    TransportError::fatal(format!(
        "Kafka at {} answers, and says that the broker of partition {partition} of `{}` is at {place}, where it cannot \
         be reached from here: correct `advertised.listeners` of that broker, or open the way there ({text})",
        link.address.shown(),
        link.topic,
    ))
}

/// Whether a code is an answer of a broker, and not its silence.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed | Code::UnknownTopicOrPartition | Code::InvalidTopic
    )
}

/// Whether it passes with the next look at who leads what.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::NotLeaderForPartition | Code::LeaderNotAvailable | Code::UnknownPartition
    )
}
