//! Whatever the body and the headers are: an event within its bounds, or a reason in words.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostile_input::{check, json, mutated, text};
use ordered_events::core::internal::DynHandler;
use ordered_events::{Envelope, EventId, Handler, Seq, ordered_handler};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Order {
    order_id: String,
    seq: u64,
    payload: Option<Value>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Nested {
    order: Inner,
    at: (i64, Vec<Value>),
    event_id: Uuid,
}

#[derive(Deserialize)]
struct Inner {
    id: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
#[serde(tag = "type")]
enum Tagged {
    Created { amount: f64 },
    Gone(BTreeMap<String, Value>),
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Flat {
    #[serde(flatten)]
    all: BTreeMap<String, Value>,
    seq: i8,
    order_id: f64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Typed {
    order_id: char,
    seq: std::num::NonZeroI64,
    event_id: Option<String>,
    payload: Option<Tagged>,
}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn plain(_event: Order) {}

#[ordered_handler(key = "order.id", seq = "at.0", id = "event_id")]
async fn nested(_event: Nested) {}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn flat(_event: Flat) {}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn typed(_event: Typed) {}

#[ordered_handler(key = "header:key", seq = "header:seq", id = "header:id")]
async fn in_headers(_event: Value) {}

/// Reads it as the worker does. What is taken is within its bounds, and what is not has a reason that fits into a log.
fn read<H: Handler>(handler: &Arc<H>, envelope: &Envelope) {
    match DynHandler::read(&**handler, envelope) {
        Ok(decoded) => {
            assert!((1..=512).contains(&decoded.key.as_str().len()));
            assert!((1..=Seq::MAX.get()).contains(&decoded.seq.get()));
            assert!((1..=EventId::MAX_BYTES).contains(&decoded.id.as_str().len()));
        }
        Err(malformed) => {
            let words = malformed.to_string();
            assert!(!words.is_empty());
            assert!(words.len() < 2_000, "{} bytes of reason", words.len());
        }
    }
}

fn read_all(envelope: &Envelope) {
    read(&Arc::new(plain), envelope);
    read(&Arc::new(nested), envelope);
    read(&Arc::new(flat), envelope);
    read(&Arc::new(typed), envelope);
    read(&Arc::new(in_headers), envelope);
}

const FIELDS: [&str; 9] = [
    "order_id", "seq", "event_id", "payload", "order", "id", "at", "type", "Seq",
];

#[test]
fn json_of_every_shape_is_an_event_or_has_a_reason() {
    check(300, json(&FIELDS), |body| read_all(&Envelope::new(body)));
}

#[test]
fn bytes_that_were_an_event_are_an_event_or_have_a_reason() {
    let events = [
        r#"{"order_id": "order-1", "seq": 1, "payload": {"type": "Created", "amount": 1.5},
            "event_id": "5f0c6b6e-8a0d-4a55-9b61-0d2c3f1f8d11"}"#,
        r#"{"order": {"id": "ü\u00e9\ud83d\ude00"}, "at": [7, []], "event_id": "5f0c6b6e-8a0d-4a55-9b61-0d2c3f1f8d11"}"#,
        r#"{"order_id": 1, "seq": 9007199254740991, "payload": null, "event_id": 18446744073709551615}"#,
        r#"["order-1", 1]"#,
    ];
    check(300, mutated(&events), |body| read_all(&Envelope::new(body)));
}

#[test]
fn headers_of_every_kind_are_an_event_or_have_a_reason() {
    let number = prop_oneof![
        text(),
        "[+-]?[0-9]{1,25}",
        Just("1".to_owned()),
        "[0-9] ?e[0-9]"
    ];
    check(300, (text(), number, text()), |(key, seq, id)| {
        let mut envelope = Envelope::new("null");
        for (name, value) in [("key", &key), ("seq", &seq), ("id", &id)] {
            envelope.headers.insert(name.into(), value.clone());
        }
        read(&Arc::new(in_headers), &envelope);
        if let Ok(decoded) = in_headers.decode(&envelope) {
            assert_eq!((decoded.key.as_str(), decoded.id.as_str()), (&*key, &*id));
            assert_eq!(
                decoded.seq.to_string(),
                seq.trim_start_matches('+').trim_start_matches('0')
            );
        }
    });
}

#[test]
fn what_a_store_keeps_of_an_envelope_comes_back() {
    let headers = btree_map(text(), text(), 0..5);
    let parts = (vec(any::<u8>(), 0..200), headers, any::<Option<u64>>());
    check(300, parts, |(body, headers, published_at)| {
        let envelope = Envelope {
            body: body.into(),
            headers,
            published_at,
        };
        assert_eq!(Envelope::decode(envelope.encode()).unwrap(), envelope);
    });
}

#[test]
fn bytes_that_were_an_envelope_are_one_or_are_refused() {
    let mut envelope = Envelope::new("{\"a\":\n1}");
    envelope.published_at = Some(1_700_000_000_000);
    envelope.headers.insert("a\nb".into(), "ü".into());
    let stored = [envelope.encode(), Envelope::new("").encode()];
    check(300, mutated(&stored), |bytes| {
        if let Ok(envelope) = Envelope::decode(bytes) {
            assert_eq!(Envelope::decode(envelope.encode()).unwrap(), envelope);
        }
    });
}

#[test]
fn an_event_without_a_key_is_malformed_and_belongs_to_none() {
    for body in [
        r#"{"seq": 1}"#,
        r#"{"order_id": null, "seq": 1}"#,
        r#"{"order_id": "", "seq": 1}"#,
        r#"{"Order_id": "a", "seq": 1}"#,
    ] {
        let malformed = plain.decode(&Envelope::new(body)).map(|it| it.key);
        assert!(malformed.is_err(), "{body}: {malformed:?}");
    }
    let without = in_headers.decode(&Envelope::new("null")).map(|it| it.key);
    assert!(without.unwrap_err().to_string().contains("no header `key`"));
}
