use std::collections::BTreeMap;

use ordered_core::event::Envelope;
use ordered_core::logical::VectorClock;
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

#[derive(Deserialize)]
struct Comment {
    post: String,
    author: String,
    vector: BTreeMap<String, u64>,
}

#[ordered_handler(
    key = "post",
    order = "causal",
    producer = "author",
    clock = "vector",
    max_producers = 7
)]
async fn causes_first(comment: Comment) {
    drop((comment.post, comment.author, comment.vector));
}

#[derive(Deserialize)]
struct Booking {
    account: String,
    branch: String,
    seq: u64,
    time: u64,
}

#[ordered_handler(
    key = "account",
    order = "lamport",
    producer = "branch",
    seq = "seq",
    time = "time",
    producer_lease = "5m",
    max_delay = "7s"
)]
async fn book(booking: Booking) {
    drop((booking.account, booking.branch, booking.seq, booking.time));
}

#[test]
fn an_event_with_a_time_says_its_producers_number_of_it() {
    let policy = book.options().policy;
    assert_eq!(policy.order, Order::Lamport);
    assert_eq!(policy.producer_lease, std::time::Duration::from_secs(300));
    assert_eq!(policy.max_delay, Some(std::time::Duration::from_secs(7)));
    let sent = envelope(r#"{"account": "a", "branch": "north", "seq": 3, "time": 41}"#);
    assert_eq!(stamp(&book, &sent), Ok(("north".into(), 3)));
    let read = book.stamp(&sent, None).unwrap().unwrap();
    assert_eq!(read.time(), Some(41));
    let wrong = envelope(r#"{"account": "a", "branch": "", "seq": 3, "time": 41}"#);
    let error = stamp(&book, &wrong).unwrap_err();
    assert!(error.contains("must have a name"), "{error}");
}

#[derive(Deserialize)]
struct Clocked {
    post: String,
    vector: VectorClock,
}

#[ordered_handler(
    key = "post",
    order = "causal",
    producer = "header:author",
    clock = "vector"
)]
async fn with_a_clock(comment: Clocked) {
    drop((comment.post, comment.vector));
}

#[ordered_handler(
    key = "/data/post",
    order = "causal",
    producer = "/data/meta/author",
    clock = "/data/meta/vector",
    envelope = "cloudevents"
)]
async fn from_the_json(comment: serde_json::Value) {
    drop(comment);
}

fn stamp<H: Handler>(handler: &H, sent: &Envelope) -> Result<(String, u64), String> {
    let decoded = handler.decode(sent).map_err(|error| error.to_string())?;
    let stamp = handler.stamp(sent, Some(&decoded.event));
    let stamp = stamp.map_err(|error| error.to_string())?.unwrap();
    // An event that cannot be read as its type has the same.
    assert_eq!(handler.stamp(sent, None).unwrap().as_ref(), Some(&stamp));
    Ok((stamp.producer().to_owned(), stamp.seq()))
}

#[test]
fn an_event_says_who_sent_it_and_what_that_one_knew() {
    let sent = envelope(r#"{"post": "p", "author": "ada", "vector": {"ada": 2, "bob": 7}}"#);
    assert_eq!(stamp(&causes_first, &sent), Ok(("ada".into(), 2)));
    let of_no_order = by_body.stamp(&envelope(r#"{"customer": "a"}"#), None);
    assert_eq!(of_no_order.unwrap(), None);

    let mut sent = envelope(r#"{"post": "p", "vector": {"ada": 2}}"#);
    let error = stamp(&with_a_clock, &sent).unwrap_err();
    assert!(error.contains("no header `author`"), "{error}");
    sent.headers.insert("author".into(), "bob".into());
    let error = stamp(&with_a_clock, &sent).unwrap_err();
    assert!(error.contains("does not count the event itself"), "{error}");
    sent.headers.insert("author".into(), "ada".into());
    assert_eq!(stamp(&with_a_clock, &sent), Ok(("ada".into(), 2)));

    let sent = envelope(
        r#"{"specversion": "1.0", "id": "1", "source": "s", "type": "t", 
            "data": {"post": "p", "meta": {"author": "eve", "vector": {"eve": 1}}}}"#,
    );
    assert_eq!(stamp(&from_the_json, &sent), Ok(("eve".into(), 1)));
}

#[test]
fn an_event_that_says_nothing_of_a_clock_is_refused_in_words() {
    let sent = envelope(r#"{"post": "p", "author": "ada"}"#);
    let error = causes_first.stamp(&sent, None).unwrap_err().to_string();
    assert!(error.contains("the event has no `/vector`"), "{error}");
}

#[test]
fn the_option_says_the_order() {
    assert_eq!(order(causes_first), Order::Causal);
    assert_eq!(causes_first.options().policy.max_producers, 7);
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
