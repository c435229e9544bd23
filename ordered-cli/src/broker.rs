//! The dead letters at the broker: the one place that knows which brokers are compiled in.

use ordered_core::transport::DeadLetters;

use crate::args::BrokerArgs;
use crate::failure::Failure;

const SCHEMES: &str = "amqp://, amqps://, sqs://";

/// Connects to the dead letters of a queue.
pub(crate) async fn dead_letters(broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    let Some(url) = &broker.transport else {
        return usage(
            "which broker? Give it with --transport amqp://host or --transport sqs://QUEUE, or set ORDERED_TRANSPORT".into(),
        );
    };
    match url.split_once("://").map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "amqp")]
        "amqp" | "amqps" => amqp(url, broker).await,
        #[cfg(feature = "sqs")]
        "sqs" => sqs(url, broker).await,
        "memory" => usage(
            "a memory:// broker lives in the process of its workers, and cannot be looked at from another".into(),
        ),
        // An address without a scheme may be a password: it is not repeated.
        "" => usage("the broker is a URL, such as amqp://host or sqs://QUEUE".into()),
        scheme => usage(format!(
            "there is no broker for `{scheme}://` in this build; there are: {SCHEMES}"
        )),
    }
}

#[cfg(feature = "amqp")]
async fn amqp(url: &str, broker: &BrokerArgs) -> Result<Box<dyn DeadLetters>, Failure> {
    let Some(queue) = &broker.queue else {
        return Err(Failure::Usage(
            "which queue? Give the one that the workers consume with --queue, or set ORDERED_QUEUE"
                .into(),
        ));
    };
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
