use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::{StreamExt, stream};
use ordered_core::event::Envelope;
use ordered_core::transport::TransportError;
use serde_json::Value;
use tokio::time::sleep;

use crate::calls::{AT_ONCE, BATCH};
use crate::failure::{Failure, FailureKind};
use crate::link::Link;
use crate::message::{self, Outgoing, encode};
use crate::names;

/// What one call carries, but for a single event that is larger. SQS takes 1 MiB; before August 2025 it was this much, and
/// not everything that speaks its protocol has followed.
const BATCH_BYTES: usize = 256 << 10;
/// How often what a call left undone is sent again.
const TRIES: u32 = 6;
const BACKOFF: Duration = Duration::from_millis(50);

struct Letter {
    message: Outgoing,
    group: Option<String>,
    deduplication: Option<String>,
}

pub(crate) async fn publish(link: &Link, envelopes: Vec<Envelope>) -> Result<(), TransportError> {
    let mut batches: Vec<Vec<Letter>> = Vec::new();
    let mut bytes = 0;
    for envelope in envelopes {
        let letter = Letter::new(link, &envelope)?;
        let size = letter.message.size();
        bytes += size;
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes <= BATCH_BYTES => batch.push(letter),
            _ => {
                bytes = size;
                batches.push(vec![letter]);
            }
        }
    }
    let at_once = if link.is_fifo() { 1 } else { AT_ONCE };
    let mut sends = Vec::with_capacity(batches.len());
    for batch in batches {
        sends.push(send(link, batch));
    }
    let mut sends = stream::iter(sends).buffered(at_once);
    while let Some(sent) = sends.next().await {
        sent?;
    }
    Ok(())
}

/// Sends a batch, and again what the answer leaves undone.
async fn send(link: &Link, batch: Vec<Letter>) -> Result<(), TransportError> {
    let mut entries: Vec<_> = batch.into_iter().enumerate().map(entry).collect();
    let mut last = String::new();
    for tries in 0..TRIES {
        let call = link.client.send_message_batch().queue_url(&link.url);
        let call = call.set_entries(Some(entries.clone()));
        let output = call
            .send()
            .await
            .map_err(|error| failed(link, Failure::of(&error)))?;
        if output.failed.is_empty() {
            return Ok(());
        }
        for refused in &output.failed {
            let failure = Failure::coded(refused.code(), refused.message().unwrap_or_default());
            if refused.sender_fault() && !refused.code().contains("Throttl") {
                let kind = FailureKind::Refused;
                return Err(failed(link, Failure { kind, ..failure }));
            }
            last = failure.words;
        }
        entries.retain(|entry| {
            output
                .failed
                .iter()
                .any(|refused| refused.id() == entry.id())
        });
        sleep(BACKOFF * 2_u32.pow(tries)).await;
    }
    let kind = FailureKind::Passing;
    Err(failed(link, Failure { kind, words: last }))
}

fn failed(link: &Link, Failure { kind, words }: Failure) -> TransportError {
    let queue = &link.queue;
    let text = format!("SQS: the queue `{queue}` did not take all events: {words}");
    match kind {
        FailureKind::Passing | FailureKind::Unreachable => TransportError::unavailable(text),
        _ => TransportError::fatal(text),
    }
}

fn entry((id, letter): (usize, Letter)) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(id.to_string())
        .message_body(letter.message.body)
        .set_message_attributes(Some(letter.message.attributes))
        .set_message_group_id(letter.group)
        .set_message_deduplication_id(letter.deduplication)
        .build()
        .expect("an entry with an id and a body is complete")
}

impl Letter {
    fn new(link: &Link, envelope: &Envelope) -> Result<Self, TransportError> {
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
                message,
                group,
                deduplication: None,
            });
        }
        let options = &link.options;
        let chosen = |name: &Option<String>| name.as_deref().and_then(|name| find(envelope, name));
        let group = group.or_else(|| chosen(&options.message_group)).ok_or_else(|| {
            TransportError::fatal(format!(
                "SQS: an event for a FIFO queue has no message group: give it the header `{}`, or say with \
                 `.message_group(\"order_id\")` which header or field of its JSON it is",
                names::MESSAGE_GROUP_ID
            ))
        })?;
        let deduplication = header(names::MESSAGE_DEDUPLICATION_ID)
            .or_else(|| chosen(&options.message_deduplication))
            .or_else(|| {
                let unique = || format!("{:032x}", fastrand::u128(..));
                (!options.content_based_deduplication).then(unique)
            });
        Ok(Self {
            message,
            group: Some(group),
            deduplication,
        })
    }
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
