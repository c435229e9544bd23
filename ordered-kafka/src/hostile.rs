//! Records and addresses as nobody would write them: read, or refused in words, and never a panic.

use hostile_input::{check, mutated_text, text};
use ordered_core::transport::{BrokerDeadLetter, Reason, ReasonKind, Token};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rdkafka::message::Headers;

use crate::address::Address;
use crate::names;
use crate::record::Record;

fn bytes() -> impl Strategy<Value = Option<bytes::Bytes>> {
    let any_bytes = vec(any::<u8>(), 0..40).prop_map(bytes::Bytes::from);
    let of_text = text().prop_map(bytes::Bytes::from);
    proptest::option::of(prop_oneof![any_bytes, of_text])
}

fn name() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 5] = [
        names::KEY,
        names::OFFSET,
        names::REASON,
        names::DEAD_OFFSET,
        "",
    ];
    prop_oneof![select(&KNOWN[..]).prop_map(str::to_owned), text()]
}

fn record() -> impl Strategy<Value = Record> {
    let parts = (
        any::<i32>(),
        any::<i64>(),
        bytes(),
        bytes(),
        vec((name(), bytes()), 0..6),
        any::<Option<i64>>(),
    );
    parts.prop_map(
        |(partition, offset, key, body, headers, timestamp)| Record {
            partition,
            offset,
            key,
            body,
            headers,
            timestamp,
            is_rewound: false,
        },
    )
}

#[test]
fn any_record_is_read_and_dead_lettered() {
    check(500, (record(), text()), |(record, text)| {
        let envelope = record.envelope();
        assert_eq!(envelope.body, record.body.clone().unwrap_or_default());
        // What a record says about its place is not believed.
        assert_eq!(envelope.headers[names::OFFSET], record.offset.to_string());
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text,
        };
        let headers = record.dead_headers("orders", &reason);
        let reasons = headers.iter().filter(|header| header.key == names::REASON);
        assert_eq!(reasons.count(), 1);
        let letter = BrokerDeadLetter::new(Token(1), envelope);
        assert!(
            letter.reason.is_none() || record.headers.iter().any(|(name, _)| name == names::REASON)
        );
    });
}

const SECRET: &str = "s3cr3t";

fn addresses() -> impl Strategy<Value = String> {
    let whole = [
        "kafka://me:s3cr3t@b-1:9092,b-2:9092?group=g&security=sasl_ssl",
        "kafka://me:s3cr3t@[::1]:9092?ssl.ca.location=/ca.pem",
        "kafka://me:s3cr3t@b/?mechanism=PLAIN",
    ];
    let parts = (
        select(&["kafka://", "kafka:", "http://", ""][..]),
        select(&["me:", ":", "m%zz:", "me:5/", "me:5?a=", "me:5#"][..]),
        select(&["s3cr3t", "%73s3cr3t", "s3cr3t%ff", "s3cr3t/x", "s3cr3t?x"][..]),
        select(&["@", "", "@@", "@[", "@:"][..]),
        select(&["b", "[::1]", "b:1", "b:99999", "", "b,,c", "b/t"][..]),
        text(),
    );
    let parts = parts.prop_map(|(scheme, user, password, at, hosts, rest)| {
        format!("{scheme}{user}{password}{at}{hosts}?{rest}")
    });
    prop_oneof![mutated_text(&whole), parts, text()]
}

#[test]
fn any_address_is_taken_or_refused_without_its_password() {
    check(1_000, addresses(), |text| {
        let said = match Address::parse(&text) {
            Ok(address) => format!("{} {address:?} {:?}", address.shown(), address.user()),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(
            !has_password(&text) || !said.contains(SECRET),
            "{text}: {said}"
        );
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
