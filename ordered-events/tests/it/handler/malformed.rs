use ordered_events::ordered_handler;
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal;

#[derive(Deserialize)]
#[allow(dead_code)]
struct OrderEvent {
    order_id: String,
    seq: u64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Signed<T> {
    order_id: String,
    seq: i64,
    id: Option<T>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct WithId {
    order_id: String,
    seq: u64,
    event_id: String,
}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply(_event: OrderEvent) {}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply_signed(_event: Signed<std::net::IpAddr>) {}

#[ordered_handler(key = "order_id", seq = "seq", id = "event_id")]
async fn apply_with_id(_event: WithId) {}

#[test]
fn a_body_that_is_no_json() {
    for (body, message) in [
        (&b""[..], "the body is empty, and must be a JSON event"),
        (
            b"hello",
            "the body is not JSON: expected value at byte 0 (line 1, column 1)",
        ),
        (
            b"{\"order_id\": \"o\", \"seq\": 1",
            "the body is not JSON: it is cut off at byte 26, before its JSON ends",
        ),
        (
            b"{\"order_id\": \"\xff\xfe\", \"seq\": 1}",
            "the body is not JSON: byte 14 (0xff) is not UTF-8: it is text of another encoding, such as ISO-8859-1, or \
             no text at all",
        ),
        (
            b"{\"order_id\": \"o\", \"seq\": 1} x",
            "the body is not JSON: trailing characters at byte 28 (line 1, column 29)",
        ),
    ] {
        assert_eq!(refusal(apply, body), message);
    }
}

#[test]
fn json_of_another_shape() {
    for (event, why) in [
        (json!({}), "missing field `order_id`"),
        (json!({"seq": 1}), "missing field `order_id`"),
        (json!({"order_id": "o"}), "missing field `seq`"),
        (
            json!({"order_id": 5, "seq": 1}),
            "invalid type: integer `5`, expected a string",
        ),
        (
            json!({"order_id": null, "seq": 1}),
            "invalid type: null, expected a string",
        ),
        (
            json!({"order_id": "o", "seq": -1}),
            "invalid value: integer `-1`, expected u64",
        ),
        (
            json!({"order_id": "o", "seq": 1.5}),
            "invalid type: floating point `1.5`, expected u64",
        ),
        (
            json!({"order_id": "o", "seq": "1"}),
            "invalid type: string \"1\", expected u64",
        ),
        (
            json!("order"),
            "invalid type: string \"order\", expected struct OrderEvent",
        ),
    ] {
        let refusal = refusal(apply, event.to_string());
        let expected = format!("the body is JSON, but not a valid OrderEvent: {why} at line 1");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
}

#[test]
fn a_type_is_named_without_its_parameters() {
    let refusal = refusal(apply_signed, "{}");
    assert!(refusal.contains("not a valid Signed: "), "{refusal}");
}

#[test]
fn a_seq_out_of_bounds() {
    let event = |seq: Value| json!({"order_id": "o", "seq": seq}).to_string();
    let message = |seq: &str| {
        format!("seq is {seq}, and must be a whole number from 0 to 9007199254740991 (2^53-1)")
    };
    assert_eq!(
        refusal(apply, event(json!(1_u64 << 53))),
        message("9007199254740992")
    );
    assert_eq!(
        refusal(apply, event(json!(u64::MAX))),
        message("18446744073709551615")
    );
    assert_eq!(refusal(apply_signed, event(json!(-3))), message("-3"));
}

#[test]
fn a_key_out_of_bounds() {
    let event = |key: String| json!({"order_id": key, "seq": 1}).to_string();
    assert_eq!(
        refusal(apply, event(String::new())),
        "the key is empty: every event must say which key it belongs to"
    );
    assert_eq!(
        refusal(apply, event("k".repeat(10_000))),
        "the key has 10000 bytes, and a key may have 512 at most"
    );
}

#[test]
fn an_id_out_of_bounds() {
    let event = |id: Value| json!({"order_id": "o", "seq": 1, "event_id": id}).to_string();
    let empty = "the event id is empty: leave the field out, or give every event its own";
    let long = "the event id has 10000 bytes, and an id may have 562 at most";
    assert_eq!(refusal(apply, event(json!(""))), empty);
    assert_eq!(refusal(apply_with_id, event(json!(""))), empty);
    let many = json!("i".repeat(10_000));
    assert_eq!(refusal(apply, event(many.clone())), long);
    assert_eq!(refusal(apply_with_id, event(many)), long);
    for id in [json!(true), json!(1.5), json!([1]), json!({})] {
        let refusal = refusal(apply, event(id));
        assert!(
            refusal.starts_with(
                "the event's `event_id` cannot be its id: an event id is text or a whole number"
            ),
            "{refusal}"
        );
    }
}
