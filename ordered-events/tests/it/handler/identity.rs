use std::fmt;
use std::num::NonZeroU64;

use ordered_core::event::{EventId, Key, Seq};
use ordered_events::ordered_handler;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::identity;

/// Declares an event and its handler in a module of their own.
macro_rules! handler {
    ($name:ident, $options:tt, { $($field:ident: $type:ty),* $(,)? }) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[derive(Deserialize)]
            #[allow(dead_code)]
            pub(super) struct Event { $($field: $type),* }

            handler!(@ $name, $options);
        }
    };
    (@ $name:ident, ($($options:tt)*)) => {
        #[ordered_handler($($options)*)]
        pub(super) async fn on(_event: Event) {}
    };
}

handler!(text_key, (key = "key", seq = "seq"), { key: String, seq: u64 });
handler!(box_key, (key = "key", seq = "seq"), { key: Box<str>, seq: u32 });
handler!(integer_key, (key = "key", seq = "seq"), { key: i64, seq: i64 });
handler!(uuid_key, (key = "key", seq = "seq"), { key: Uuid, seq: u8 });
handler!(char_key, (key = "key", seq = "seq"), { key: char, seq: u16 });
handler!(own_key, (key = "key", seq = "seq"), { key: Sku, seq: NonZeroU64 });

#[derive(Deserialize)]
pub(super) struct Sku {
    shop: u8,
    item: u8,
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.shop, self.item)
    }
}

/// The id of an event that has none.
fn of_content(key: &str, seq: u64, event: &Value) -> String {
    let (key, seq) = (Key::new(key).unwrap(), Seq::new(seq).unwrap());
    EventId::of_content(&key, seq, event.to_string().as_bytes()).to_string()
}

#[test]
fn a_key_is_whatever_has_a_text_form() {
    let uuid = "0b9a9ad6-5a3c-4a43-9c2e-8f0d2a7c1e55";
    let event = |key: Value| json!({"key": key, "seq": 3});
    let place = |(key, seq, _): (String, u64, String)| (key, seq);
    let at = |key: &str| (key.to_owned(), 3);
    let composed = event(json!({"shop": 1, "item": 2}));
    assert_eq!(place(identity(text_key::on, event(json!("a")))), at("a"));
    assert_eq!(place(identity(box_key::on, event(json!("b")))), at("b"));
    assert_eq!(place(identity(integer_key::on, event(json!(-5)))), at("-5"));
    assert_eq!(place(identity(uuid_key::on, event(json!(uuid)))), at(uuid));
    assert_eq!(place(identity(char_key::on, event(json!("ß")))), at("ß"));
    assert_eq!(place(identity(own_key::on, composed)), at("1-2"));
}

#[test]
fn a_seq_goes_up_to_what_json_readers_hold() {
    let max = (1_u64 << 53) - 1;
    let event = json!({"key": "a", "seq": max});
    assert_eq!(identity(text_key::on, event).1, max);
    let event = json!({"key": 1, "seq": max});
    assert_eq!(identity(integer_key::on, event).1, max);
}

#[derive(Deserialize)]
pub(super) struct Order {
    id: String,
    at: (u64, u8),
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(super) struct Tuple(Order, u64);

handler!(nested, (key = "order.id", seq = "order.at.0", id = "ids.0"), { order: Box<Order>, ids: (Uuid, u8) });
handler!(raw, (key = "type", seq = "r#match"), { r#type: String, r#match: u64 });

#[ordered_handler(key = "0.id", seq = "1")]
async fn on_tuple(_event: Tuple) {}

#[ordered_handler(key = "0", seq = "1")]
async fn on_pair(_event: (String, u64)) {}

#[ordered_handler(key = "order_id", seq = "sequence")]
async fn on_renamed(event: Renamed) -> Result<(), std::num::ParseIntError> {
    event.order_id.parse::<u8>().map(drop)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    order_id: String,
    #[serde(rename = "n")]
    sequence: u64,
}

#[test]
fn paths_go_into_structs_tuples_and_boxes() {
    let uuid = Uuid::new_v4();
    let order = json!({"id": "o", "at": [4, 0]});
    let event = json!({"order": order, "ids": [uuid, 0]});
    assert_eq!(
        identity(nested::on, event),
        ("o".into(), 4, uuid.to_string())
    );
    let event = json!([order, 5]);
    assert_eq!(
        identity(on_tuple, event.clone()),
        ("o".into(), 5, of_content("o", 5, &event))
    );
    let event = json!(["first", 1]);
    assert_eq!(
        identity(on_pair, event.clone()),
        ("first".into(), 1, of_content("first", 1, &event))
    );
}

#[test]
fn fields_go_by_their_rust_names() {
    let event = json!({"type": "t", "match": 2});
    assert_eq!(
        identity(raw::on, event.clone()),
        ("t".into(), 2, of_content("t", 2, &event))
    );
    let event = json!({"orderId": "7", "n": 9});
    assert_eq!(
        identity(on_renamed, event.clone()),
        ("7".into(), 9, of_content("7", 9, &event))
    );
}

handler!(number_id, (key = "key", seq = "seq", id = "no"), { key: String, seq: u64, no: u64 });

#[test]
fn the_id_is_the_named_field() {
    let event = json!({"key": "a", "seq": 1, "no": 44, "event_id": "not this"});
    assert_eq!(identity(number_id::on, event).2, "44");
}

#[test]
fn the_id_defaults_to_event_id_and_then_to_one_of_the_content() {
    let uuid = Uuid::new_v4();
    for (event_id, id) in [
        (json!(uuid), uuid.to_string()),
        (json!("text"), "text".into()),
        (json!(12), "12".into()),
        (json!(u64::MAX), u64::MAX.to_string()),
    ] {
        let event = json!({"key": "a", "seq": 1, "event_id": event_id});
        assert_eq!(identity(text_key::on, event).2, id);
    }
    for event in [
        json!({"key": "a", "seq": 1}),
        json!({"key": "a", "seq": 1, "event_id": null}),
        json!({"key": "a", "seq": 1, "meta": {"event_id": "deeper"}}),
    ] {
        let id = of_content("a", 1, &event);
        assert_eq!(identity(text_key::on, event).2, id);
    }
}

handler!(from_headers, (key = "header:sqs.message_group_id", seq = "header:seq", id = "header:id"), { text: String });

#[test]
fn key_seq_and_id_may_come_from_headers() {
    use ordered_events::{Envelope, Handler};

    let with = |headers: &[(&str, &str)]| Envelope {
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Envelope::new(r#"{"text": "hello"}"#)
    };
    let read = |headers: &[(&str, &str)]| {
        let decoded = from_headers::on.decode(&with(headers));
        decoded
            .map(|decoded| {
                (
                    decoded.key.to_string(),
                    decoded.seq.get(),
                    decoded.id.to_string(),
                )
            })
            .map_err(|error| error.0)
    };
    let (group, id) = (("sqs.message_group_id", "order-1"), ("id", "e-7"));
    assert_eq!(
        read(&[group, ("seq", "7"), id]),
        Ok(("order-1".into(), 7, "e-7".into()))
    );
    assert_eq!(
        read(&[("seq", "7"), id]),
        Err("the event has no header `sqs.message_group_id`".into())
    );
    for wrong in ["-1", "1.5", "seven", "9007199254740992"] {
        let error = read(&[group, ("seq", wrong), id]).unwrap_err();
        assert_eq!(
            error,
            format!(
                "seq is {wrong:?}, and must be a whole number from 0 to 9007199254740991 (2^53-1)"
            )
        );
    }
}
