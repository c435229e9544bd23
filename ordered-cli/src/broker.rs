//! The dead letters at the broker: the one place that knows which brokers are compiled in.

use ordered_core::transport::DeadLetters;

use crate::args::BrokerArgs;
use crate::failure::Failure;

const SCHEMES: &str = "amqp://, amqps://, sqs://, kafka://";

/// Connects to the dead letters of a queue.
pub(crate) async fn dead_letters(broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    let Some(url) = &broker.transport else {
        return usage(
            "which broker? Give it with --transport amqp://host, sqs://QUEUE or kafka://host, or set ORDERED_TRANSPORT".into(),
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
            "`kafka://` needs the feature `kafka`, which this program was built without: build it with `--features kafka`".into(),
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

#[cfg(feature = "amqp")]
async fn amqp(url: &str, broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    let queue = queue(broker)?;
    let mut builder = ordered_amqp::Amqp::connect(url)
        .queue(queue)
        .connection_name("ordered");
    if let Some(name) = &broker.dead_queue {
        builder = builder.dead_letter_queue(name);
    }
    Ok(Box::new(builder.dead_letters().await?))
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
