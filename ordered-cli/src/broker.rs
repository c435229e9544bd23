//! The dead letters and the queues at the broker: the one place that knows which brokers are compiled in.

use ordered_core::transport::DeadLetters;
use serde::Serialize;

use crate::args::BrokerArgs;
use crate::failure::Failure;

const SCHEMES: &str = "amqp://, amqps://, sqs://, kafka://";

/// Connects to the dead letters of a queue.
pub(crate) async fn dead_letters(broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    let Some(url) = &broker.transport else {
        return usage(
            "which broker? Give it with --transport amqp://host, sqs://QUEUE or kafka://host, or set \
             ORDERED_TRANSPORT".into(),
        );
    };
    match url.split_once("://").map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "amqp")]
        "amqp" | "amqps" => amqp(url, broker).await,
        #[cfg(feature = "sqs")]
        "sqs" => sqs(url, broker).await,
        #[cfg(feature = "kafka")]
        "kafka" => kafka(url, broker).await,
        #[cfg(not(feature = "kafka"))]
        "kafka" => usage(
            "`kafka://` needs the feature `kafka`, which this program was built without: build it with `--features \
             kafka`".into(),
        ),
        "memory" => usage(
            "a memory:// broker lives in the process of its workers, and cannot be looked at from another".into(),
        ),
        // An address without a scheme may be a password: it is not repeated.
        "" => usage("the broker is a URL, such as amqp://host, sqs://QUEUE or kafka://host".into()),
        scheme => usage(format!(
            "there is no broker for `{scheme}://` in this build; there are: {SCHEMES}"
        )),
    }
}

/// A queue at the broker.
#[derive(Debug, Serialize)]
#[cfg_attr(
    not(feature = "amqp"),
    allow(dead_code, reason = "no broker that is compiled in shows its queues")
)]
pub(crate) struct QueueLine {
    pub(crate) queue: String,
    /// What it is to the workers: `events`, `partition`, `workers` (nothing is in it: its consumers are the workers) or
    /// `dead letters`.
    pub(crate) role: &'static str,
    pub(crate) waiting: u64,
    pub(crate) consumers: u64,
}

const PARTITION: &str = "partition";
const DEAD_LETTERS: &str = "dead letters";
const WORKERS: &str = "workers";

impl QueueLine {
    pub(crate) fn is_partition(&self) -> bool {
        self.role == PARTITION
    }

    /// Its consumers are the workers on the partitions.
    pub(crate) fn counts_workers(&self) -> bool {
        self.role == WORKERS
    }

    /// It has events, and nobody gets them.
    pub(crate) fn waits_for_nobody(&self) -> bool {
        self.waiting > 0 && self.consumers == 0 && self.role != DEAD_LETTERS
    }
}

/// The queues that workers of a queue consume, and that of their dead letters.
pub(crate) async fn queues(broker: &BrokerArgs) -> Result<Vec<QueueLine>, Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let Some(url) = &broker.transport else {
        return usage(
            "which broker? Give it with --transport amqp://host, or set ORDERED_TRANSPORT",
        );
    };
    match url.split_once("://").map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "amqp")]
        "amqp" | "amqps" => amqp_queues(url, broker).await,
        "" => usage("the broker is a URL, such as amqp://host"),
        _ => usage(
            "`queues` shows those of RabbitMQ (amqp://). The lag of a Kafka group tells `kafka-consumer-groups.sh \
             --describe`, the length of a queue of SQS its attributes",
        ),
    }
}

#[cfg(feature = "amqp")]
async fn amqp_queues(url: &str, broker: &BrokerArgs) -> Result<Vec<QueueLine>, Failure> {
    use ordered_amqp::QueueRole;

    let found = amqp_builder(url, broker)?.queues().await?;
    let line = |found: ordered_amqp::AmqpQueue| QueueLine {
        role: match found.role {
            QueueRole::Partition => PARTITION,
            QueueRole::DeadLetters => DEAD_LETTERS,
            QueueRole::Workers => WORKERS,
            _ => "events",
        },
        queue: found.name,
        waiting: found.waiting,
        consumers: found.consumers,
    };
    Ok(found.into_iter().map(line).collect())
}

#[cfg(feature = "amqp")]
async fn amqp(url: &str, broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    Ok(Box::new(amqp_builder(url, broker)?.dead_letters().await?))
}

#[cfg(feature = "amqp")]
fn amqp_builder(url: &str, broker: &BrokerArgs) -> Result<ordered_amqp::AmqpBuilder, Failure> {
    let builder = ordered_amqp::Amqp::connect(url)
        .queue(queue(broker)?)
        .connection_name("ordered");
    Ok(match &broker.dead_queue {
        Some(name) => builder.dead_letter_queue(name),
        None => builder,
    })
}

#[cfg(feature = "sqs")]
async fn sqs(url: &str, broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    let mut builder = ordered_sqs::Sqs::connect(url);
    if let Some(name) = &broker.queue {
        builder = builder.queue(name);
    }
    if let Some(name) = &broker.dead_queue {
        builder = builder.dead_letter_queue(name);
    }
    Ok(Box::new(builder.dead_letters().await?))
}

#[cfg(feature = "kafka")]
async fn kafka(url: &str, broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    let mut builder = ordered_kafka::Kafka::connect(url).topic(queue(broker)?);
    if let Some(name) = &broker.dead_queue {
        builder = builder.dead_letter_topic(name);
    }
    Ok(Box::new(builder.dead_letters().await?))
}

/// The queue, where the URL names none.
#[cfg(any(feature = "amqp", feature = "kafka"))]
fn queue(broker: &BrokerArgs) -> Result<&String, Failure> {
    broker.queue.as_ref().ok_or_else(|| {
        Failure::Usage(
            "which queue? Give the one that the workers consume with --queue, or set ORDERED_QUEUE"
                .into(),
        )
    })
}
