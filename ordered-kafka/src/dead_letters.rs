use std::sync::Arc;

use ordered_core::transport::{Reason, TransportError};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use tokio::task::spawn_blocking;
use tracing::info;

use crate::context::Context;
use crate::link::Link;
use crate::record::Record;
use crate::{config, failure};

/// How much of the reason's sentence is kept.
const MAX_TEXT: usize = 2_000;

/// The topic that dead letters go to, and the producer that writes them.
pub(crate) struct DeadLetters {
    topic: String,
    /// Where they come from.
    origin: String,
    producer: FutureProducer<Context>,
}

impl DeadLetters {
    /// Finds the topic, or makes it, with as many copies as the topic of the events has.
    pub(crate) async fn open(link: &Arc<Link>, replicas: usize) -> Result<Self, TransportError> {
        let topic = link.dead_letter_topic();
        let (asking, name) = (Arc::clone(link), topic.clone());
        let exists = spawn_blocking(move || exists(&asking, &name)).await;
        let exists = exists.map_err(|error| TransportError::fatal(error.to_string()))??;
        if !exists {
            create(link, &topic, replicas).await?;
        }
        let mut config = config::producer(&link.address);
        // There are few, and the worker waits for them.
        config.set("linger.ms", "0");
        let producer = config
            .create_with_context(Context::new(&topic))
            .map_err(|error| failure::misconfigured(&error))?;
        Ok(Self {
            topic,
            origin: link.topic.clone(),
            producer,
        })
    }

    /// Writes a copy of the record with the reason; it is with all replicas in sync when this returns.
    pub(crate) async fn write(
        &self,
        record: &Record,
        reason: &Reason,
    ) -> Result<(), TransportError> {
        let reason = Reason {
            kind: reason.kind,
            text: reason.text.chars().take(MAX_TEXT).collect(),
        };
        let mut letter: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(&self.topic).headers(record.dead_headers(&self.origin, &reason));
        letter.key = record.key.as_deref();
        letter.payload = record.body.as_deref();
        // Without the time of the record: retention counts from it, and would delete an old letter at once.
        let written = self.producer.send(letter, Timeout::Never).await;
        written
            .map(drop)
            .map_err(|(error, _)| failure::while_writing(&self.topic, &error))
    }
}

fn exists(link: &Link, topic: &str) -> Result<bool, TransportError> {
    let metadata_client = link.metadata_client()?;
    let metadata = metadata_client.metadata(topic).map_err(|error| {
        TransportError::unavailable(format!(
            "Kafka: cannot ask about the topic `{topic}` ({error})"
        ))
    })?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.and_then(|found| found.error()).map(Code::from) {
        None => Ok(found.is_some_and(|found| !found.partitions().is_empty())),
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition) => Ok(false),
        Some(code) => Err(TransportError::fatal(format!(
            "Kafka: the topic for dead letters, `{topic}`, cannot be used: allow WRITE and DESCRIBE on it, or name \
             another with `.dead_letter_topic(…)` ({code})"
        ))),
    }
}

async fn create(link: &Link, topic: &str, replicas: usize) -> Result<(), TransportError> {
    let failed = |why: String| {
        TransportError::fatal(format!(
            "Kafka: there is no topic for dead letters, `{topic}`, and it cannot be created: create it, or name \
             another with `.dead_letter_topic(…)` ({why})"
        ))
    };
    if !link.options.create_dead_letter_topic {
        return Err(failed("`create_dead_letter_topic(false)`".into()));
    }
    let admin: AdminClient<_> = config::client(&link.address)
        .create_with_context(link.context())
        .map_err(|error| failure::misconfigured(&error))?;
    let copies = i32::try_from(replicas.max(1)).unwrap_or(1);
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(copies))
        // They are there until somebody has looked at them, and as large as what was read.
        .set("retention.ms", "-1")
        .set("max.message.bytes", "100000000");
    let limit = Some(link.options.answer_within);
    let options = AdminOptions::new()
        .request_timeout(limit)
        .operation_timeout(limit);
    let created = admin.create_topics([&new], &options).await;
    let created = created.map_err(|error| failed(error.to_string()))?;
    match created.into_iter().next() {
        Some(Err((_, code))) if code != Code::TopicAlreadyExists => Err(failed(code.to_string())),
        _ => {
            info!(topic, "created the topic for dead letters");
            Ok(())
        }
    }
}
