//! Messages and addresses as nobody would write them: read, or refused in words, and never a panic.

use std::collections::HashMap;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName as System};
use aws_smithy_types::Blob;
use hostile_input::{check, mutated_text, text};
use ordered_core::event::Envelope;
use ordered_core::transport::{Reason, ReasonKind};
use proptest::collection::{btree_map, hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::address::Address;
use crate::dead_letters::letter;
use crate::message::{self, Outgoing, decode, encode};
use crate::names;

fn name() -> impl Strategy<Value = String> {
    let known = select(
        &[
            names::REASON,
            names::REASON_TEXT,
            names::QUEUE,
            names::MESSAGE_ID,
            names::PUBLISHED_AT,
            names::ENCODING,
            names::HEADERS,
            names::MESSAGE_GROUP_ID,
            names::SEQUENCE_NUMBER,
            "order_id",
        ][..],
    );
    prop_oneof![known.prop_map(str::to_owned), text()]
}

/// Attributes of every type, and of types there are not, with values of another one.
fn attribute() -> impl Strategy<Value = MessageAttributeValue> {
    let types = select(
        &[
            "String",
            "Number",
            "Binary",
            "String.x",
            "Number.int",
            "",
            "Bad",
        ][..],
    );
    let texts = prop_oneof![
        text(),
        select(
            &[
                "1e500",
                "-1",
                "NaN",
                "base64",
                "empty",
                "{\"a\":1}",
                "{\"a\":\"b\"}"
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    let (texts, bytes) = (
        proptest::option::of(texts),
        proptest::option::of(vec(any::<u8>(), 0..20)),
    );
    (types, texts, bytes).prop_map(|(data_type, text, bytes)| {
        let value = MessageAttributeValue::builder().data_type(data_type);
        let value = value.set_string_value(text);
        let value = value.set_binary_value(bytes.map(Blob::new));
        value
            .build()
            .expect("an attribute with a type can be built")
    })
}

fn incoming() -> impl Strategy<Value = Message> {
    let system = select(
        &[
            System::MessageGroupId,
            System::MessageDeduplicationId,
            System::SequenceNumber,
            System::SentTimestamp,
            System::ApproximateReceiveCount,
        ][..],
    );
    let number = prop_oneof![text(), "[0-9]{1,25}"];
    let parts = (
        proptest::option::of(text()),
        proptest::option::of("[0-9a-f-]{0,36}"),
        hash_map(name(), attribute(), 0..12),
        hash_map(system, number, 0..5),
    );
    parts.prop_map(|(body, id, attributes, system)| {
        Message::builder()
            .receipt_handle("receipt")
            .set_body(body)
            .set_message_id(id)
            .set_message_attributes(Some(attributes))
            .set_attributes(Some(system))
            .build()
    })
}

/// What SQS would refuse.
fn assert_can_be_sent(outgoing: &Outgoing) {
    assert!(!outgoing.body.is_empty());
    assert_eq!(message::allowed(&outgoing.body), outgoing.body);
    let Outgoing { attributes, .. } = outgoing;
    assert!(attributes.len() <= 10, "{} attributes", attributes.len());
    for value in attributes.values() {
        if let Some(text) = value.string_value() {
            assert!(!text.is_empty());
            assert_eq!(message::allowed(text), text);
        }
    }
}

#[test]
fn any_message_is_read_and_can_be_dead_lettered() {
    check(500, (incoming(), text()), |(message, text)| {
        let incoming = decode(message).expect("it has a receipt");
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text,
        };
        let mut letter = letter(&incoming, &reason, "q");
        // What the message says about itself does not hide why it was dead-lettered.
        let said = letter.attributes.get(names::REASON);
        assert_eq!(
            said.and_then(MessageAttributeValue::string_value),
            Some("malformed")
        );
        let binary = |name: &String| incoming.binary.contains_key(name);
        letter.attributes.retain(|name, _| !binary(name));
        assert_can_be_sent(&letter);
    });
}

#[test]
fn any_event_comes_back_as_it_was_published() {
    let parts = (
        vec(any::<u8>(), 0..50),
        btree_map(name(), text(), 0..14),
        any::<Option<u64>>(),
    );
    check(500, parts, |(body, mut headers, published_at)| {
        headers.retain(|name, _| !names::SYSTEM.contains(&name.as_str()));
        let envelope = Envelope {
            body: body.into(),
            headers,
            published_at,
        };
        let outgoing = encode(&envelope, HashMap::new());
        assert_can_be_sent(&outgoing);
        let message = Message::builder()
            .receipt_handle("receipt")
            .body(outgoing.body)
            .set_message_attributes(Some(outgoing.attributes))
            .build();
        assert_eq!(decode(message).unwrap().envelope, envelope);
    });
}

const SECRET: &str = "S3CR3T";

#[test]
fn any_address_is_taken_or_refused_without_its_secret() {
    let whole = [
        "sqs://key:S3CR3T@orders?region=eu-central-1",
        "sqs://key:S3CR3T@orders.fifo?endpoint=http://127.0.0.1:4566&account=000000000000",
        "sqs://key:a%2FS3CR3T%2B@q?message_group=order_id",
    ];
    let parts = (
        select(&["sqs://", "sqs:", "sqs:/", "SQS://", "http://", ""][..]),
        select(
            &[
                "key:", ":", "k@x:", "k%zz:", "key:56", "key:5/", "key:5?a=", "key:#",
            ][..],
        ),
        select(&["S3CR3T", "S3CR3T%ff", "S3CR3T/x", "S3CR3T?x", "?S3CR3T"][..]),
        select(&["@", "@@", "@["][..]),
        select(
            &[
                "orders",
                "[::1]",
                "q:1",
                "",
                "q?region=x",
                "q?x=y",
                "q?endpoint=z",
            ][..],
        ),
        text(),
    );
    let parts = parts.prop_map(|(scheme, user, secret, at, queue, rest)| {
        format!("{scheme}{user}{secret}{at}{queue}{rest}")
    });
    let inputs = prop_oneof![mutated_text(&whole), parts, text()];
    check(1_000, inputs, |text| {
        let said = match Address::parse(&text) {
            Ok(address) => format!("{address:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!has_secret(&text) || !said.contains(SECRET), "{said}");
    });
}

/// Whether the secret is between a `:` and an `@`, and nowhere else.
fn has_secret(text: &str) -> bool {
    if text.matches(SECRET).count() > 1 {
        return false;
    }
    let rest = text.split_once(":/").map_or(text, |(_, rest)| rest);
    let Some((key, rest)) = rest.split_once(':') else {
        return false;
    };
    let secret = rest.rsplit_once('@').map(|(secret, _)| secret);
    !key.contains(SECRET) && secret.is_some_and(|secret| secret.contains(SECRET))
}
