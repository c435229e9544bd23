use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hasher;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::{StreamExt, stream};
use ordered_core::event::Envelope;
use ordered_core::publish::Outgoing as Event;
use ordered_core::transport::TransportError;
use serde_json::Value;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::calls::{AT_ONCE, BATCH};
use crate::failure::{Failure, FailureKind};
use crate::link::Link;
use crate::message::{self, Outgoing, encode};
use crate::names;

/// What one call carries, but for a single event that is larger. SQS takes 1 MiB; before August 2025 it was this much,
/// and not everything that speaks its protocol has followed.
const BATCH_BYTES: usize = 256 << 10;

/// What a message group and a deduplication id may have at the most.
const MAX_NAME: usize = 128;

/// A message to send, with what SQS is told beside its content.
struct NewMessage {
    content: Outgoing,
    group: Option<String>,
    deduplication: Option<String>,
}

/// Sends the events once, in order, and says of each what happened to it.
pub(crate) async fn send(link: &Link, events: &[Event]) -> Vec<Result<(), TransportError>> {
    let mut outcomes: Vec<_> = events.iter().map(|_| Err(unanswered(link))).collect();
    let mut batches: Vec<Vec<(usize, NewMessage)>> = Vec::new();
    let mut bytes = 0;
    let (mut groups, mut repeats) = (HashSet::new(), false);
    for (place, event) in events.iter().enumerate() {
        let message = match NewMessage::new(link, event) {
            Ok(message) => message,
            Err(error) => {
                outcomes[place] = Err(error);
                continue;
            }
        };
        repeats |= message
            .group
            .clone()
            .is_some_and(|group| !groups.insert(group));
        let size = message.content.size();
        bytes += size;
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes <= BATCH_BYTES => {
                batch.push((place, message));
            }
            _ => {
                bytes = size;
                batches.push(vec![(place, message)]);
            }
        }
    }
    // The order among calls matters where a group has events in two of them.
    if link.is_fifo() && repeats {
        send_in_turn(link, batches, &mut outcomes).await;
        return outcomes;
    }
    let mut calls = Vec::with_capacity(batches.len());
    for batch in batches {
        calls.push(call(link, batch));
    }
    let answers: Vec<_> = stream::iter(calls)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for (place, outcome) in answers.into_iter().flatten() {
        outcomes[place] = outcome;
    }
    outcomes
}

/// Sends one call after the other. Of a group of which something failed nothing more is sent.
async fn send_in_turn(
    link: &Link,
    batches: Vec<Vec<(usize, NewMessage)>>,
    outcomes: &mut [Result<(), TransportError>],
) {
    let mut stopped: HashSet<String> = HashSet::new();
    for mut batch in batches {
        batch.retain(|(_, message)| {
            let group = message.group.as_ref();
            !group.is_some_and(|group| stopped.contains(group))
        });
        if batch.is_empty() {
            continue;
        }
        let of_place: HashMap<usize, Option<String>> = batch
            .iter()
            .map(|(place, message)| (*place, message.group.clone()))
            .collect();
        for (place, outcome) in call(link, batch).await {
            if outcome.is_err() {
                stopped.extend(of_place[&place].clone());
            }
            outcomes[place] = outcome;
        }
    }
}

/// Sends one call, and says of each of its events what happened to it.
async fn call(
    link: &Link,
    batch: Vec<(usize, NewMessage)>,
) -> Vec<(usize, Result<(), TransportError>)> {
    let places: Vec<usize> = batch.iter().map(|(place, _)| *place).collect();
    let messages = batch.into_iter().map(|(_, message)| message);
    let entries = messages.enumerate().map(entry).collect();
    let call = link.client.send_message_batch().queue_url(&link.url);
    let output = match call.set_entries(Some(entries)).send().await {
        Ok(output) => output,
        Err(error) => {
            let failure = Failure::of(&error);
            let failed = |place| (place, Err(failed(link, &failure)));
            return places.into_iter().map(failed).collect();
        }
    };
    let number = |id: &str| {
        id.parse()
            .ok()
            .filter(|number: &usize| *number < places.len())
    };
    let mut outcomes: Vec<_> = places.iter().map(|_| Err(unanswered(link))).collect();
    for sent in &output.successful {
        if let Some(number) = number(sent.id()) {
            outcomes[number] = Ok(());
        }
    }
    for refused in &output.failed {
        if let Some(number) = number(refused.id()) {
            let failure = Failure::coded(refused.code(), refused.message().unwrap_or_default());
            let kind = if is_throttling(refused.code()) || !refused.sender_fault() {
                failure.kind
            } else {
                FailureKind::Refused
            };
            outcomes[number] = Err(failed(link, &Failure { kind, ..failure }));
        }
    }
    places.into_iter().zip(outcomes).collect()
}

fn is_throttling(code: &str) -> bool {
    code.contains("Throttl") || code.contains("OverLimit")
}

fn failed(link: &Link, Failure { kind, words }: &Failure) -> TransportError {
    let queue = &link.queue;
    let text = format!("SQS: the queue `{queue}` did not take an event: {words}");
    match kind {
        FailureKind::Passing if is_throttling(words) => TransportError::busy(text),
        FailureKind::Passing | FailureKind::Unreachable => TransportError::unavailable(text),
        _ => TransportError::fatal(text),
    }
}

fn unanswered(link: &Link) -> TransportError {
    let queue = &link.queue;
    TransportError::unavailable(format!(
        "SQS: the queue `{queue}` has not said what happened to an event"
    ))
}

fn entry((id, message): (usize, NewMessage)) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(id.to_string())
        .message_body(message.content.body)
        .set_message_attributes(Some(message.content.attributes))
        .set_message_group_id(message.group)
        .set_message_deduplication_id(message.deduplication)
        .build()
        .expect("an entry with an id and a body is complete")
}

impl NewMessage {
    fn new(link: &Link, event: &Event) -> Result<Self, TransportError> {
        let envelope = event.envelope();
        let message = encode(envelope, HashMap::new());
        let size = message.size();
        if size > message::MAX_BYTES {
            return Err(TransportError::fatal(format!(
                "SQS: an event of {size} bytes is larger than the {} that SQS takes, with its headers, and in base64 \
                 where it is not text",
                message::MAX_BYTES
            )));
        }
        let header = |name| envelope.headers.get(name).cloned();
        let group = header(names::MESSAGE_GROUP_ID);
        if !link.is_fifo() {
            return Ok(Self {
                content: message,
                group,
                deduplication: None,
            });
        }
        let options = &link.options;
        let chosen = |name: &Option<String>| name.as_deref().and_then(|name| find(envelope, name));
        let of_key = || event.key().map(|key| as_name(key.as_str()));
        let group = group
            .or_else(|| chosen(&options.message_group))
            .or_else(of_key);
        let group = group.ok_or_else(|| {
            TransportError::fatal(format!(
                "SQS: an event for a FIFO queue has no message group: give it a key, or the header `{}`, or say with \
                 `.message_group(\"order_id\")` which header or field of its JSON it is",
                names::MESSAGE_GROUP_ID
            ))
        })?;
        let deduplication = header(names::MESSAGE_DEDUPLICATION_ID)
            .or_else(|| chosen(&options.message_deduplication))
            .or_else(|| event.id().map(|id| as_name(id.as_str())))
            .or_else(|| {
                let unique = || format!("{:032x}", fastrand::u128(..));
                (!options.content_based_deduplication).then(unique)
            });
        Ok(Self {
            content: message,
            group: Some(group),
            deduplication,
        })
    }
}

/// A text as the name of a message group, or as a deduplication id: as it is, where SQS takes it, else a digest of it.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html> has what it takes.
fn as_name(text: &str) -> String {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || byte.is_ascii_punctuation();
    if text.len() <= MAX_NAME && text.bytes().all(is_taken) {
        return text.to_owned();
    }
    let mut hasher = SipHasher24::new();
    hasher.write(text.as_bytes());
    format!("{:032x}", hasher.finish128().as_u128())
}

/// The header of this name, or the top-level field of the JSON.
fn find(envelope: &Envelope, name: &str) -> Option<String> {
    if let Some(header) = envelope.headers.get(name) {
        return Some(header.clone());
    }
    let mut fields: BTreeMap<String, Value> = serde_json::from_slice(&envelope.body).ok()?;
    match fields.remove(name)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqs_does_not_take_as_a_name_becomes_a_digest() {
        assert_eq!(as_name("order-7/eu"), "order-7/eu");
        for text in ["a b", "ü", &"k".repeat(129)] {
            let name = as_name(text);
            assert_eq!(name.len(), 32, "{name}");
            assert_eq!(as_name(text), name);
        }
        assert_ne!(as_name("a b"), as_name("a  b"));
    }

    #[test]
    fn a_group_is_found_in_a_header_or_in_the_json() {
        let mut envelope = Envelope::new(r#"{"order_id":"o-1","n":7,"flag":true}"#);
        assert_eq!(find(&envelope, "order_id").as_deref(), Some("o-1"));
        assert_eq!(find(&envelope, "n").as_deref(), Some("7"));
        assert_eq!(find(&envelope, "flag"), None);
        assert_eq!(find(&Envelope::new("no JSON"), "n"), None);
        envelope.headers.insert("n".into(), "8".into());
        assert_eq!(find(&envelope, "n").as_deref(), Some("8"));
    }
}
