use ordered_events::{Order, ordered_handler};
use serde::Deserialize;

use super::{envelope, identity};
use crate::handler::Handler;

#[derive(Deserialize)]
struct Message {
    customer: String,
    #[serde(default)]
    version: u64,
}

fn order(handler: impl Handler) -> Order {
    handler.options().policy.order
}

#[ordered_handler(key = "customer", id = "header:message-id", order = "arrival")]
async fn by_header(message: Message) {
    drop(message.customer);
}

#[ordered_handler(key = "customer", id = "digest:body", order = "arrival")]
async fn by_body(message: Message) {
    drop(message.customer);
}

#[ordered_handler(
    key = "customer",
    seq = "version",
    order = "monotonic",
    coalesce = true
)]
async fn newest(message: Message) {
    drop((message.customer, message.version));
}

#[ordered_handler(key = "customer", seq = "version", order = "monotonic")]
async fn newer(message: Message) {
    drop(message.customer);
}

#[test]
fn the_option_says_the_order() {
    assert_eq!(order(by_body), Order::Arrival);
    assert_eq!(order(newest), Order::Monotonic { coalesce: true });
    assert_eq!(order(newer), Order::Monotonic { coalesce: false });
}

#[test]
fn an_event_by_arrival_has_no_seq_and_an_id_of_its_own_or_of_its_bytes() {
    let (one, other) = (r#"{"customer": "a"}"#, r#"{"customer":  "a"}"#);
    let (key, seq, id) = identity(by_body, one);
    assert_eq!((key.as_str(), seq), ("a", u64::MAX));
    assert!(id.starts_with("a#"), "{id}");
    assert_eq!(identity(by_body, one).2, id);
    assert_ne!(identity(by_body, other).2, id, "other bytes");
    let place = by_body.place(&envelope(one)).unwrap();
    assert_eq!((place.seq.is_numbered(), place.id.as_str()), (false, &*id));

    let mut sent = envelope(one);
    let error = by_header.decode(&sent).err().unwrap().to_string();
    assert!(error.contains("no header `message-id`"), "{error}");
    sent.headers.insert("message-id".into(), "m-7".into());
    assert_eq!(by_header.decode(&sent).unwrap().id.as_str(), "m-7");
}

#[test]
fn a_version_is_the_seq() {
    let (key, seq, _) = identity(newest, r#"{"customer": "a", "version": 41}"#);
    assert_eq!((key.as_str(), seq), ("a", 41));
}
