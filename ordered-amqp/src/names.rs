//! The headers and queue names that this transport makes up.

/// Header of a dead letter: the kind of the reason.
pub(crate) const REASON: &str = "x-ordered-reason";
/// Header of a dead letter: the reason in a sentence.
pub(crate) const REASON_TEXT: &str = "x-ordered-reason-text";
/// Header of a dead letter: the queue it was consumed from.
pub(crate) const QUEUE: &str = "x-ordered-queue";
/// Header of a dead letter, and of a copy in one of our queues: the exchange it was published to.
pub(crate) const EXCHANGE: &str = "x-ordered-exchange";
/// Header of a dead letter, and of a copy in one of our queues: the routing key it was published with.
pub(crate) const ROUTING_KEY: &str = "x-ordered-routing-key";

/// Header of a dead letter of a queue with partitions: the exchange that puts it into one of them again.
pub(crate) const PARTITIONS: &str = "x-ordered-partitions";

/// What the names of headers that are made of properties of the message begin with.
pub(crate) const PROPERTY_PREFIX: &str = "amqp.";
/// The property `timestamp`, in seconds.
pub(crate) const TIMESTAMP: &str = "amqp.timestamp";
/// The routing key that the producer published with.
pub(crate) const PROPERTY_ROUTING_KEY: &str = "amqp.routing_key";

/// Milliseconds beside the `timestamp` property, which has seconds. The name is that of RabbitMQ's own timestamp
/// interceptor: <https://www.rabbitmq.com/docs/message-interceptors>.
pub(crate) const TIMESTAMP_MS: &str = "timestamp_in_ms";

/// Whether a header says why a dead letter is one, and is not the event's.
pub(crate) fn is_of_dead_letter(header: &str) -> bool {
    let ours = [
        REASON,
        REASON_TEXT,
        QUEUE,
        EXCHANGE,
        ROUTING_KEY,
        PARTITIONS,
    ];
    let brokers = ["x-first-death-", "x-last-death-"];
    ours.contains(&header) || brokers.iter().any(|death| header.starts_with(death))
}

/// The longest queue name, in bytes: a short string of AMQP.
pub(crate) const MAX_NAME: usize = 255;
/// What the name of a delay queue adds to the prefix, at most: a dot and ten digits.
pub(crate) const DELAY_SUFFIX: usize = 11;

/// The dead letter queue of a queue, unless it is given another name.
pub(crate) fn dead_letter_queue(queue: &str) -> String {
    format!("{queue}.dead")
}

/// What the names of the delay queues of a queue begin with, unless they are given another.
pub(crate) fn defer_prefix(queue: &str) -> String {
    format!("{queue}.defer")
}

/// What the name of a partition adds to that of the queue, or of the exchange before them, at most.
pub(crate) const PARTITION_SUFFIX: usize = 11;

/// The exchange that puts the events of a queue into its partitions.
pub(crate) fn partition_exchange(queue: &str) -> String {
    format!("{queue}.partitions")
}

/// The queue of which the consumers are the workers on the partitions of a queue. Nothing is in it.
pub(crate) fn workers(queue: &str) -> String {
    format!("{queue}.workers")
}

/// A partition of a queue.
pub(crate) fn partition(queue: &str, number: u16) -> String {
    format!("{queue}.{number}")
}
