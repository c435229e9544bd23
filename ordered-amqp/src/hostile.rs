//! Messages and addresses as nobody would write them: read, or refused in words, and never a panic.

use std::time::Duration;

use hostile_input::{check, mutated_text, text};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, ShortString};
use ordered_core::event::Envelope;
use ordered_core::transport::{Reason, ReasonKind};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::address::Address;
use crate::envelope::{from_message, to_properties};
use crate::outgoing::Places;
use crate::received_message::ReceivedMessage;
use crate::{Amqp, names};

/// Header names: those that mean something to the broker or to us, and any other.
fn name() -> impl Strategy<Value = ShortString> {
    let known = select(
        &[
            "x-death",
            "x-delivery-count",
            "x-first-death-queue",
            "x-last-death-queue",
            "x-first-death-",
            "CC",
            "BCC",
            names::TIMESTAMP_MS,
            names::REASON,
            names::REASON_TEXT,
            "",
        ][..],
    );
    prop_oneof![known.prop_map(str::to_owned), text()].prop_map(short)
}

fn short(text: String) -> ShortString {
    crate::outgoing::cut(&text, 255).into()
}

fn value() -> impl Strategy<Value = AMQPValue> {
    use AMQPValue as V;
    let leaf = prop_oneof![
        any::<bool>().prop_map(V::Boolean),
        any::<i8>().prop_map(V::ShortShortInt),
        any::<u8>().prop_map(V::ShortShortUInt),
        any::<i16>().prop_map(V::ShortInt),
        any::<u16>().prop_map(V::ShortUInt),
        any::<i32>().prop_map(V::LongInt),
        any::<u32>().prop_map(V::LongUInt),
        any::<i64>().prop_map(V::LongLongInt),
        proptest::num::f32::ANY.prop_map(V::Float),
        proptest::num::f64::ANY.prop_map(V::Double),
        (any::<u8>(), any::<u32>())
            .prop_map(|(scale, value)| V::DecimalValue(DecimalValue { scale, value })),
        text().prop_map(short).prop_map(V::ShortString),
        text().prop_map(|text| V::LongString(text.into())),
        vec(any::<u8>(), 0..20).prop_map(|bytes| V::LongString(bytes.into())),
        vec(any::<u8>(), 0..20).prop_map(|bytes| V::ByteArray(bytes.into())),
        any::<u64>().prop_map(V::Timestamp),
        select(&["q.defer.500", "q.defer", "q.deferred.1", "q.defer."][..])
            .prop_map(|queue| V::LongString(queue.into())),
        Just(V::Void),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| V::FieldArray(FieldArray::from(items))),
            table(inner).prop_map(V::FieldTable),
        ]
    })
}

fn table(value: impl Strategy<Value = AMQPValue>) -> impl Strategy<Value = FieldTable> {
    btree_map(name(), value, 0..6).prop_map(FieldTable::from)
}

fn message() -> impl Strategy<Value = ReceivedMessage> {
    let parts = (
        proptest::option::of(table(value())),
        any::<Option<u64>>(),
        text().prop_map(short),
        vec(any::<u8>(), 0..50),
    );
    parts.prop_map(|(headers, timestamp, name, body)| {
        let mut properties = BasicProperties::default()
            .with_content_type(name.clone())
            .with_expiration(name.clone());
        if let Some(headers) = headers {
            properties = properties.with_headers(headers);
        }
        if let Some(timestamp) = timestamp {
            properties = properties.with_timestamp(timestamp);
        }
        ReceivedMessage {
            exchange: name.clone(),
            routing_key: name,
            properties,
            body: body.into(),
        }
    })
}

#[test]
fn any_message_is_read_and_copied() {
    let places = Places {
        dead_letter_exchange: Default::default(),
        queue: "q".into(),
        dead_letters: "q.dead".into(),
        defer_prefix: "q.defer".into(),
        partitions: None,
    };
    let inputs = (message(), text(), any::<Duration>());
    check(500, inputs, |(original, text, delay)| {
        let envelope = from_message(&original, "q.defer");
        assert_eq!(envelope.body, original.body);
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text,
        };
        let dead = places.dead_letter(&original, &reason, "q");
        let headers = dead.properties.headers().clone().unwrap_or_default();
        // What the message says about itself does not hide why it was dead-lettered.
        let said = headers.inner().get(names::REASON);
        assert_eq!(said, Some(&AMQPValue::LongString("malformed".into())));
        assert_eq!(dead.body, original.body);
        let deferred = places.deferred(&original, delay);
        let again = ReceivedMessage {
            properties: deferred.properties,
            body: deferred.body,
            ..original
        };
        assert_eq!(
            from_message(&again, "q.defer").headers,
            headers_of_copy(&envelope)
        );
    });
}

/// A copy goes to one queue only, so these are not in it.
fn headers_of_copy(envelope: &Envelope) -> std::collections::BTreeMap<String, String> {
    let mut headers = envelope.headers.clone();
    headers.retain(|name, _| !["CC", "BCC"].contains(&name.as_str()));
    headers
}

#[test]
fn any_event_can_be_published_or_is_refused() {
    let headers = btree_map(text(), text(), 0..5);
    check(
        500,
        (headers, any::<Option<u64>>()),
        |(headers, published_at)| {
            let fits = headers.keys().all(|name| name.len() <= 255);
            let envelope = Envelope {
                body: "{}".into(),
                headers,
                published_at,
            };
            assert_eq!(to_properties(&envelope).is_ok(), fits);
        },
    );
}

const SECRET: &str = "s3cr3t";

/// Addresses with the secret where a password stands, more or less.
fn addresses() -> impl Strategy<Value = String> {
    let whole = [
        "amqp://me:s3cr3t@broker:1234/orders?heartbeat=10",
        "amqps://me:s3cr3t@[::1]:5671/%2f",
        "amqp://s3cr3t@broker",
        "amqp://:s3cr3t@broker/a%00b",
    ];
    let parts = (
        select(
            &[
                "amqp://", "amqps://", "amqp:", "amqp:/", "http://", "://", "",
            ][..],
        ),
        select(
            &[
                "me:", ":", "me@x:", "m%zz:", "me:56", "me:56/", "me:5?a=", "me:5#",
            ][..],
        ),
        select(&["s3cr3t", "%73s3cr3t", "s3cr3t%ff", "s3cr3t/x", "s3cr3t?x"][..]),
        select(&["@", "", "@@", "@[", "@:"][..]),
        select(&["broker", "[::1]", "b:1", "b:99999", "", "127.0.0.1/v"][..]),
        text(),
    );
    let parts = parts.prop_map(|(scheme, user, password, at, host, rest)| {
        format!("{scheme}{user}{password}{at}{host}/{rest}")
    });
    let query = select(
        &[
            "heartbeat=",
            "channel_max=",
            "frame_max=",
            "connection_timeout=",
            "auth_mechanism=",
            "partitions=",
            "key=",
            "x=",
        ][..],
    );
    let query = (
        query,
        select(&["s3cr3t", "5", "-1", "99999999999999999999", ""][..]),
    )
        .prop_map(|(name, value)| format!("amqp://me:s3cr3t@broker/?{name}{value}"));
    prop_oneof![mutated_text(&whole), parts, query, text()]
}

#[test]
fn any_address_is_taken_or_refused_without_its_password() {
    check(1_000, addresses(), |text| {
        let said = match Address::parse(&text) {
            Ok(address) => {
                assert!(address.vhost().len() <= 255);
                format!("{address} {address:?} {:?}", address.timeout())
            }
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!has_password(&text) || !said.contains(SECRET), "{said}");
    });
}

/// Whether the secret is between a `:` and an `@`, and nowhere else.
fn has_password(text: &str) -> bool {
    if text.matches(SECRET).count() > 1 {
        return false;
    }
    let rest = text.split_once(":/").map_or(text, |(_, rest)| rest);
    let Some((user, rest)) = rest.split_once(':') else {
        return false;
    };
    let password = rest.rsplit_once('@').map(|(password, _)| password);
    !user.contains(SECRET) && password.is_some_and(|password| password.contains(SECRET))
}

#[test]
fn any_name_of_a_queue_is_taken_or_refused() {
    check(500, (text(), text(), text()), |(queue, dead, prefix)| {
        let builder = Amqp::connect("amqp://broker")
            .queue(queue)
            .dead_letter_queue(dead)
            .defer_queue_prefix(prefix.clone())
            .consumer_tag(prefix);
        if let Ok((_, topology, _)) = builder.validate() {
            topology
                .places
                .deferred(&ReceivedMessage::default(), Duration::MAX);
        }
    });
}
