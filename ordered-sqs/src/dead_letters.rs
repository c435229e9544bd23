use std::collections::HashMap;

use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use ordered_core::event::Envelope;
use ordered_core::transport::{Reason, TransportError};
use tracing::{info, warn};

use crate::failure::{Failure, FailureKind};
use crate::link::Link;
use crate::message::{self, Incoming, Outgoing, encode, text_attribute};
use crate::names;
use crate::queue_attributes::QueueAttributes;

/// How much of the reason's sentence is kept.
const MAX_TEXT: usize = 2_000;

/// Besides ours and one for the headers: the places for attributes of bytes.
const MAX_BINARY: usize = 3;

/// The longest time that a queue can keep a message: 14 days.
const RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

/// The queue that dead letters go to.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    pub(crate) queue: String,
    pub(crate) url: String,
}

impl DeadLetters {
    /// Finds the queue, or makes it.
    pub(crate) async fn open(
        link: &Link,
        attributes: &QueueAttributes,
    ) -> Result<Self, TransportError> {
        let (queue, account, may_create) =
            match (&link.options.dead_letter_queue, &attributes.redrive) {
                (Some(queue), _) => (queue.clone(), None, link.options.create_dead_letter_queue),
                (None, Some(redrive)) => (redrive.queue.clone(), redrive.account.as_deref(), false),
                (None, None) => {
                    let queue = names::dead_letter_queue(&link.queue);
                    (queue, None, link.options.create_dead_letter_queue)
                }
            };
        let url = match link.url_of(&queue, account).await {
            Err(failure) if failure.kind == FailureKind::NoQueue && may_create => {
                create(link, &queue).await?
            }
            found => found.map_err(|failure| {
                let doing = format!(
                    "find the queue for dead letters, `{queue}` (sqs:GetQueueUrl): create it, or name another with \
                     `.dead_letter_queue(…)`"
                );
                link.at_start(failure, &doing)
            })?,
        };
        Ok(Self { queue, url })
    }

    /// Sends a copy of the message with the reason.
    pub(crate) async fn send(
        &self,
        link: &Link,
        message: &Incoming,
        reason: &Reason,
    ) -> Result<(), Failure> {
        let Outgoing { body, attributes } = letter(message, reason, &link.queue);
        let mut call = link.client.send_message().queue_url(&self.url);
        if self.queue.ends_with(names::FIFO) {
            let group = message.group().unwrap_or("dead-letters");
            call = call.message_group_id(group);
            // Known again, should it be sent twice because the original could not be deleted.
            call = call.message_deduplication_id(&message.message_id);
        }
        let call = call
            .message_body(body)
            .set_message_attributes(Some(attributes));
        call.send()
            .await
            .map(drop)
            .map_err(|error| Failure::of(&error))
    }
}

async fn create(link: &Link, queue: &str) -> Result<String, TransportError> {
    let retention = RETENTION_SECONDS.to_string();
    let mut call = link.client.create_queue().queue_name(queue);
    call = call.attributes(QueueAttributeName::MessageRetentionPeriod, retention);
    if queue.ends_with(names::FIFO) {
        call = call.attributes(QueueAttributeName::FifoQueue, "true");
    }
    let failed = |failure| {
        let doing = format!(
            "create the queue for dead letters, `{queue}` (sqs:CreateQueue): create it by hand, give the queue a \
             redrive policy, or name another with `.dead_letter_queue(…)`"
        );
        link.at_start(failure, &doing)
    };
    let created = call
        .send()
        .await
        .map_err(|error| failed(Failure::of(&error)))?;
    info!(queue, "created the queue for dead letters");
    created.queue_url.ok_or_else(|| {
        failed(Failure {
            kind: FailureKind::Refused,
            words: "the answer has no URL in it".to_owned(),
        })
    })
}

/// The message with the reason; where all of it is too large, with less about it.
pub(crate) fn letter(message: &Incoming, reason: &Reason, queue: &str) -> Outgoing {
    let mut attributes = HashMap::from([
        (
            names::REASON.to_owned(),
            text_attribute(reason.kind.as_str()),
        ),
        (
            names::REASON_TEXT.to_owned(),
            text_attribute(sentence(reason)),
        ),
        (names::QUEUE.to_owned(), text_attribute(queue)),
        (
            names::MESSAGE_ID.to_owned(),
            text_attribute(&message.message_id),
        ),
    ]);
    attributes.retain(|_, value| value.string_value().is_some_and(|text| !text.is_empty()));
    let mut envelope = message.envelope.clone();
    envelope
        .headers
        .retain(|name, _| !attributes.contains_key(name));
    let mut complete = attributes.clone();
    // One that has a name of ours does not take its place.
    let binary = message.binary.iter();
    let binary = binary.filter(|(name, _)| !attributes.contains_key(*name));
    let binary = binary.take(MAX_BINARY);
    complete.extend(binary.map(|(name, value)| (name.clone(), value.clone())));
    let whole = encode(&envelope, complete);
    if whole.size() <= message::MAX_BYTES && message.binary.len() <= MAX_BINARY {
        return whole;
    }
    warn!(
        id = message.message_id,
        "a dead letter is too large for all its attributes; some are left out"
    );
    if whole.size() <= message::MAX_BYTES {
        return whole;
    }
    bare(&envelope, attributes)
}

/// The body, with the reason where there is room for it.
fn bare(envelope: &Envelope, reason: HashMap<String, MessageAttributeValue>) -> Outgoing {
    let body = Envelope::new(envelope.body.clone());
    let with_reason = encode(&body, reason);
    if with_reason.size() <= message::MAX_BYTES {
        with_reason
    } else {
        encode(&body, HashMap::new())
    }
}

fn sentence(reason: &Reason) -> String {
    let text = message::allowed(&reason.text);
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use ordered_core::transport::ReasonKind;

    use super::*;

    fn message(body: impl Into<bytes::Bytes>) -> Incoming {
        Incoming {
            receipt: "r".into(),
            message_id: "m".into(),
            envelope: Envelope::new(body),
            redelivered: false,
            binary: HashMap::new(),
        }
    }

    fn reason(text: &str) -> Reason {
        Reason {
            kind: ReasonKind::Malformed,
            text: text.into(),
        }
    }

    #[test]
    fn ten_attributes_are_enough_for_everything() {
        let mut message = message("{}");
        message.envelope.published_at = Some(1);
        message.envelope.headers = (0..10).map(|n| (format!("h{n}"), "v".into())).collect();
        let blob = MessageAttributeValue::builder()
            .data_type("Binary")
            .build()
            .unwrap();
        message.binary = (0..5).map(|n| (format!("b{n}"), blob.clone())).collect();
        let letter = letter(&message, &reason("\u{1}why"), "q");
        assert_eq!(letter.attributes.len(), 10);
        let why = letter.attributes[names::REASON_TEXT]
            .string_value()
            .unwrap();
        assert_eq!(why, "\u{FFFD}why");
    }

    #[test]
    fn a_second_reason_takes_the_place_of_the_first() {
        let mut message = message("{}");
        message.envelope.headers = [(names::REASON.to_owned(), "old".to_owned())].into();
        let letter = letter(&message, &reason("why"), "q");
        assert_eq!(
            letter.attributes[names::REASON].string_value(),
            Some("malformed")
        );
        assert!(!letter.attributes.contains_key(names::HEADERS));
    }

    #[test]
    fn the_largest_message_fits_even_if_its_reason_does_not() {
        let mut message = message(vec![b'x'; message::MAX_BYTES]);
        message.envelope.published_at = Some(1);
        let whole = letter(&message, &reason("why"), "q");
        assert_eq!(
            (whole.size(), whole.attributes.len()),
            (message::MAX_BYTES, 0)
        );
        message.envelope = Envelope::new(vec![b'x'; message::MAX_BYTES - 300]);
        message.envelope.headers = [("h".to_owned(), "v".repeat(300))].into();
        let bare = letter(&message, &reason("why"), "q");
        assert_eq!(bare.attributes.len(), 4);
        assert!(bare.size() <= message::MAX_BYTES);
    }
}
