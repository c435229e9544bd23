//! Bodies that are not JSON.

use ordered_core::event::Envelope;
use ordered_events::{Decode, Handler, Malformed, Router, Unhandled, ordered_handler};
use ordered_testkit::TestWorker;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

struct MessagePack;

impl<E: DeserializeOwned> Decode<E> for MessagePack {
    fn decode(envelope: &Envelope) -> Result<E, Malformed> {
        rmp_serde::from_slice(&envelope.body)
            .map_err(|error| Malformed(format!("the body is not MessagePack: {error}")))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct OrderEvent {
    order_id: String,
    seq: u64,
    message_id: u32,
}

#[ordered_handler(
    key = "order_id",
    seq = "seq",
    id = "message_id",
    decode = "MessagePack"
)]
async fn with_an_id(event: OrderEvent) {
    drop((event.order_id, event.seq, event.message_id));
}

#[ordered_handler(
    key = "order_id",
    seq = "seq",
    decode = "MessagePack",
    group = "orders"
)]
async fn without_an_id(_event: OrderEvent) {}

#[ordered_handler(
    key = "header:x-ordered-key",
    seq = "header:x-ordered-seq",
    decode = "self::MessagePack",
    on = "created"
)]
async fn by_headers(_event: u64) {}

/// A type that serde does not know.
struct Line(String, u64);

struct Csv;

impl Decode<Line> for Csv {
    fn decode(envelope: &Envelope) -> Result<Line, Malformed> {
        let malformed = || Malformed("the body is no line of two fields".into());
        let line = std::str::from_utf8(&envelope.body).map_err(|_| malformed())?;
        let (key, seq) = line.split_once(',').ok_or_else(malformed)?;
        Ok(Line(key.to_owned(), seq.parse().map_err(|_| malformed())?))
    }
}

#[ordered_handler(key = "0", seq = "1", decode = "Csv", batch = 10)]
async fn of_lines(lines: Vec<Line>) {
    drop(lines);
}

fn packed(order_id: &str, seq: u64, message_id: u32) -> Vec<u8> {
    let order_id = order_id.to_owned();
    let event = OrderEvent {
        order_id,
        seq,
        message_id,
    };
    rmp_serde::to_vec_named(&event).unwrap()
}

#[test]
fn key_seq_and_id_are_fields_of_what_was_decoded() {
    let decoded = with_an_id
        .decode(&Envelope::new(packed("order-7", 3, 99)))
        .unwrap();
    let found = (decoded.key.as_str(), decoded.seq.get(), decoded.id.as_str());
    assert_eq!(found, ("order-7", 3, "99"));
    let decoded = of_lines.decode(&Envelope::new("order-8,4")).unwrap();
    assert_eq!((decoded.key.as_str(), decoded.seq.get()), ("order-8", 4));
}

#[test]
fn without_an_id_the_bytes_are_what_an_event_is_known_by() {
    let id = |body: Vec<u8>| without_an_id.decode(&Envelope::new(body)).unwrap().id;
    assert_eq!(id(packed("a", 1, 5)), id(packed("a", 1, 5)));
    assert_ne!(id(packed("a", 1, 5)), id(packed("a", 1, 6)));
}

#[test]
fn what_cannot_be_decoded_keeps_its_place_where_headers_say_it() {
    let broken = Envelope::new("{}");
    let error = with_an_id.decode(&broken).unwrap_err().to_string();
    assert!(
        error.starts_with("the body is not MessagePack: "),
        "{error}"
    );
    assert!(with_an_id.place(&broken).is_none());
    assert!(with_an_id.places().is_none());

    // A byte that MessagePack has no meaning for.
    let mut broken = Envelope::new(vec![0xc1]);
    let headers = [("x-ordered-key", "order-7"), ("x-ordered-seq", "3")];
    broken.headers = headers
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    assert!(by_headers.decode(&broken).is_err());
    let place = by_headers.place(&broken).unwrap();
    assert_eq!((place.key.as_str(), place.seq.get()), ("order-7", 3));
}

#[tokio::test(start_paused = true)]
async fn a_worker_runs_events_that_are_not_json() {
    let report = TestWorker::new(without_an_id)
        .publish(packed("order-7", 2, 0))
        .publish(packed("order-7", 1, 0))
        .publish(packed("order-7", 1, 0))
        .publish("no MessagePack")
        .run_until_idle()
        .await;
    assert_eq!(report.handled("order-7"), [1, 2]);
    assert_eq!(report.duplicates("order-7"), [1]);
    assert_eq!(report.dead_letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_router_finds_the_type_in_a_header() {
    let event = |seq: u64, kind: &str| {
        let mut event = Envelope::new(rmp_serde::to_vec(&seq).unwrap());
        let seq = seq.to_string();
        let headers = [
            ("x-ordered-key", "order-7"),
            ("x-ordered-seq", &seq),
            ("x-ordered-type", kind),
        ];
        event.headers = headers
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        event
    };
    let router = Router::new()
        .group("orders")
        .handler(by_headers)
        .unhandled(Unhandled::Ignore);
    let report = TestWorker::new(router)
        .publish_envelope(event(2, "rated"))
        .publish_envelope(event(1, "created"))
        .run_until_idle()
        .await;
    assert_eq!(report.handled("order-7"), [1, 2]);
}
