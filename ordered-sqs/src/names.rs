//! The headers and message attributes that this transport makes up.

/// Header of an event: the message group it was sent in. Set it when publishing to choose the group.
///
/// A handler may take it for the key: a FIFO queue then delivers what the framework orders.
pub const MESSAGE_GROUP_ID: &str = "sqs.message_group_id";

/// Header of an event: what a FIFO queue knows it again by for five minutes. Set it when publishing to choose it.
///
/// A handler may take it for the event id.
pub const MESSAGE_DEDUPLICATION_ID: &str = "sqs.message_deduplication_id";

/// Header of an event from a FIFO queue: its place in the queue, a number with 20 digits and with gaps, so not a seq.
pub const SEQUENCE_NUMBER: &str = "sqs.sequence_number";

/// Message attribute of a dead letter: the kind of the reason.
pub const REASON: &str = "x-ordered-reason";

/// Message attribute of a dead letter: the reason in a sentence.
pub const REASON_TEXT: &str = "x-ordered-reason-text";

/// Message attribute of a dead letter: the queue it was received from.
pub const QUEUE: &str = "x-ordered-queue";

/// Message attribute of a dead letter: the id that the message had there.
pub const MESSAGE_ID: &str = "x-ordered-message-id";

/// Message attribute: the producer's time in milliseconds, where it is not the time of sending.
pub const PUBLISHED_AT: &str = "x-ordered-published-at";

/// Message attribute: how the body is written where it is not the text it stands for, [`BASE64`] or [`EMPTY`].
pub const ENCODING: &str = "x-ordered-encoding";

/// Message attribute: a JSON object with the headers that cannot be attributes, or for which there was no place.
pub const HEADERS: &str = "x-ordered-headers";

/// [`ENCODING`] of bytes that are not text that SQS takes.
pub const BASE64: &str = "base64";

/// [`ENCODING`] of an event without a body, which SQS does not take; its body is then a dash.
pub const EMPTY: &str = "empty";

/// The headers that are not message attributes but fields of SQS' own.
pub(crate) const SYSTEM: [&str; 3] = [MESSAGE_GROUP_ID, MESSAGE_DEDUPLICATION_ID, SEQUENCE_NUMBER];
/// The attributes that say how to read a message, and are not headers.
pub(crate) const WIRE: [&str; 3] = [PUBLISHED_AT, ENCODING, HEADERS];

/// What the name of every FIFO queue ends with, and of no other.
pub(crate) const FIFO: &str = ".fifo";

/// The queue for dead letters of a queue that names none itself.
pub(crate) fn dead_letter_queue(queue: &str) -> String {
    match queue.strip_suffix(FIFO) {
        Some(name) => format!("{name}-dead{FIFO}"),
        None => format!("{queue}-dead"),
    }
}

#[cfg(test)]
mod tests {
    use super::dead_letter_queue;

    #[test]
    fn the_dead_letters_of_a_fifo_queue_go_to_a_fifo_queue() {
        assert_eq!(dead_letter_queue("orders"), "orders-dead");
        assert_eq!(dead_letter_queue("orders.fifo"), "orders-dead.fifo");
    }
}
