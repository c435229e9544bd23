//! The headers that this transport makes up.

/// Header of an event: the key of the record, where it is text. Set it when publishing to choose the key.
///
/// A handler may take it for the key: `key = "header:kafka.key"`.
pub const KEY: &str = "kafka.key";

/// Header of an event: the number of the partition that it was read from.
pub const PARTITION: &str = "kafka.partition";

/// Header of an event: its offset in the partition, a number with holes, so not a seq.
pub const OFFSET: &str = "kafka.offset";

/// Header of an event: the time of the record, in milliseconds since the Unix epoch.
pub const TIMESTAMP: &str = "kafka.timestamp";

/// Header of a dead letter: the kind of the reason.
pub const REASON: &str = dead_letter_header::REASON;

/// Header of a dead letter: the reason in a sentence.
pub const REASON_TEXT: &str = dead_letter_header::REASON_TEXT;

/// Header of a dead letter: the topic that it was read from.
pub const TOPIC: &str = dead_letter_header::QUEUE;

/// Header of a dead letter: the partition that it was read from.
pub const DEAD_PARTITION: &str = "x-ordered-partition";

/// Header of a dead letter: the offset that it had there.
pub const DEAD_OFFSET: &str = "x-ordered-offset";

/// Header of a dead letter: the time that the record had there.
pub const DEAD_TIMESTAMP: &str = "x-ordered-timestamp";

use ordered_core::transport::dead_letter_header;

/// The headers that say where a record lay, and are not the producer's.
pub(crate) const PLACE: [&str; 4] = [KEY, PARTITION, OFFSET, TIMESTAMP];

/// The headers that a dead letter has beside those of its record.
pub(crate) const DEAD: [&str; 6] = [
    REASON,
    REASON_TEXT,
    TOPIC,
    DEAD_PARTITION,
    DEAD_OFFSET,
    DEAD_TIMESTAMP,
];

/// The group of Kafka in which it is kept how far a group was.
pub(crate) fn settled_group(group: &str) -> String {
    format!("{group}.settled")
}

/// The topic for the dead letters of a topic.
pub(crate) fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dead")
}
