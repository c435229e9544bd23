use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName as System};
use ordered_core::event::Envelope;

use super::{attributes, body};
use crate::names;

/// A message as it came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) receipt: String,
    pub(crate) message_id: String,
    pub(crate) envelope: Envelope,
    pub(crate) redelivered: bool,
    /// Attributes of bytes: they are no headers, but a dead letter has them.
    pub(crate) binary: HashMap<String, MessageAttributeValue>,
}

impl Incoming {
    pub(crate) fn group(&self) -> Option<&str> {
        let group = self.envelope.headers.get(names::MESSAGE_GROUP_ID);
        group.map(String::as_str)
    }
}

/// Reads a message; `None` for one without a receipt, which nothing could be done about.
pub(crate) fn decode(message: Message) -> Option<Incoming> {
    let system = message.attributes.unwrap_or_default();
    let number = |name| system.get(&name).and_then(|text| text.parse::<u64>().ok());
    let mut headers = BTreeMap::new();
    let mut binary = HashMap::new();
    let (mut encoding, mut published_at, mut others) = (None, None, None);
    for (name, value) in message.message_attributes.unwrap_or_default() {
        match (name.as_str(), value.string_value()) {
            (names::ENCODING, Some(text)) => encoding = Some(text.to_owned()),
            (names::PUBLISHED_AT, Some(text)) => published_at = text.parse().ok(),
            (names::HEADERS, Some(text)) => others = Some(text.to_owned()),
            (_, Some(text)) => {
                let text = text.to_owned();
                headers.insert(name, text);
            }
            (_, None) => {
                binary.insert(name, value);
            }
        }
    }
    if let Some(others) = others {
        attributes::read(&others, &mut headers);
    }
    for (system_name, name) in [
        (System::MessageGroupId, names::MESSAGE_GROUP_ID),
        (
            System::MessageDeduplicationId,
            names::MESSAGE_DEDUPLICATION_ID,
        ),
        (System::SequenceNumber, names::SEQUENCE_NUMBER),
    ] {
        if let Some(value) = system.get(&system_name) {
            headers.insert(name.to_owned(), value.clone());
        }
    }
    Some(Incoming {
        receipt: message.receipt_handle?,
        message_id: message.message_id.unwrap_or_default(),
        envelope: Envelope {
            body: body::read(message.body.unwrap_or_default(), encoding.as_deref()),
            headers,
            published_at: published_at.or_else(|| number(System::SentTimestamp)),
        },
        redelivered: number(System::ApproximateReceiveCount).is_some_and(|count| count > 1),
        binary,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::encode;

    fn comes_back(envelope: &Envelope) -> usize {
        let outgoing = encode(envelope, HashMap::new());
        let count = outgoing.attributes.len();
        assert!(count <= 10, "{count} attributes");
        let message = Message::builder()
            .receipt_handle("r")
            .body(outgoing.body)
            .set_message_attributes(Some(outgoing.attributes))
            .build();
        assert_eq!(decode(message).unwrap().envelope, *envelope);
        count
    }

    fn with_headers(count: usize) -> Envelope {
        let headers = (0..count).map(|n| (format!("h{n}"), format!("ü{n}")));
        Envelope {
            headers: headers.collect(),
            ..Envelope::new("body")
        }
    }

    #[test]
    fn ten_headers_are_attributes_and_more_are_written_as_json() {
        for count in 0..=10 {
            assert_eq!(comes_back(&with_headers(count)), count);
        }
        assert_eq!(comes_back(&with_headers(11)), 10);
        assert_eq!(comes_back(&with_headers(50)), 10);
    }

    #[test]
    fn what_sqs_does_not_take_comes_back_all_the_same() {
        let mut envelope = with_headers(9);
        envelope.published_at = Some(1_700_000_000_123);
        envelope.body = vec![0xff, 0].into();
        for (name, value) in [
            ("empty", ""),
            ("control", "\u{1}\u{FFFE}\u{FFFF}"),
            ("name with spaces", "x"),
            (names::ENCODING, "a header of this name"),
        ] {
            envelope.headers.insert(name.into(), value.into());
        }
        assert_eq!(comes_back(&envelope), 10);
    }

    #[test]
    fn the_fields_of_sqs_become_headers_and_numbers() {
        let message = Message::builder()
            .receipt_handle("r")
            .body("b")
            .attributes(System::MessageGroupId, "order-1")
            .attributes(System::SentTimestamp, "1700000000123")
            .attributes(System::ApproximateReceiveCount, "2")
            .build();
        let incoming = decode(message).unwrap();
        assert_eq!(incoming.group(), Some("order-1"));
        assert_eq!(incoming.envelope.published_at, Some(1_700_000_000_123));
        assert!(incoming.redelivered);
        assert_eq!(decode(Message::builder().body("no receipt").build()), None);
    }
}
