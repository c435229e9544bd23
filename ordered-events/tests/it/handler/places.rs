//! Where key, seq and id may stand.

use ordered_core::event::{Envelope, Key};
use ordered_events::{CloudEvent, Handler, ordered_handler};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{identity, refusal};

#[derive(Deserialize)]
struct OrderEvent {
    tenant: String,
    order: Order,
    seq: u64,
}

#[derive(Deserialize)]
struct Order {
    id: u32,
}

#[ordered_handler(key = ["tenant", "order.id"], seq = "seq")]
async fn of_two_fields(event: OrderEvent) {
    drop((event.tenant, event.order.id, event.seq));
}

#[ordered_handler(key = ["header:tenant", "/order/id"], seq = "header:seq")]
async fn of_a_header_and_a_place(_event: Value) {}

#[derive(Deserialize)]
#[serde(tag = "type")]
#[allow(dead_code)]
enum Change {
    OrderCreated { order_id: String, seq: u64 },
    OrderShipped { order_id: String, seq: String },
}

#[ordered_handler(key = "/order_id", seq = "/seq", id = "/meta/id")]
async fn of_an_enum(_event: Change) {}

#[ordered_handler(key = "/0/key", seq = "/0/seq")]
async fn of_a_value(_event: Value) {}

#[ordered_handler(key = "/key", seq = "/seq", batch = 10)]
async fn of_values(_events: Vec<Value>) {}

#[ordered_handler(envelope = "cloudevents")]
async fn of_a_cloud_event(_event: CloudEvent<Order>) {}

#[ordered_handler(envelope = "cloudevents", key = ["/tenant", "/subject"], id = "id")]
async fn of_a_tenants_cloud_event(_event: CloudEvent<Value>) {}

#[derive(Deserialize)]
#[serde(tag = "type", content = "data")]
#[allow(dead_code)]
enum CloudChange {
    OrderCreated { amount: u32 },
    OrderShipped,
}

#[ordered_handler(envelope = "cloudevents")]
async fn of_an_enum_of_cloud_events(_event: CloudChange) {}

#[ordered_handler(
    envelope = "sns",
    key = "order_id",
    seq = "header:seq",
    id = "header:sns.message_id"
)]
async fn of_a_notification(_event: InSns) {}

#[derive(Deserialize)]
struct InSns {
    order_id: String,
}

fn with_headers(body: impl ToString, headers: &[(&str, &str)]) -> Envelope {
    let mut envelope = Envelope::new(body.to_string());
    for (name, value) in headers {
        envelope.headers.insert((*name).into(), (*value).into());
    }
    envelope
}

fn identity_of(handler: impl Handler, envelope: &Envelope) -> (String, u64, String) {
    let decoded = handler.decode(envelope).unwrap();
    (
        decoded.key.to_string(),
        decoded.seq.get(),
        decoded.id.to_string(),
    )
}

#[test]
fn a_key_of_several_parts_is_the_key_that_they_make_elsewhere() {
    let event = json!({"tenant": "acme/eu", "order": {"id": 7}, "seq": 3});
    let (key, seq, _) = identity(of_two_fields, &event);
    assert_eq!((key.as_str(), seq), ("acme~1eu/7", 3));
    assert_eq!(Key::join(["acme/eu", "7"]).unwrap().as_str(), key);
    let beside = with_headers(&event, &[("tenant", "acme/eu"), ("seq", "3")]);
    let (key, seq, _) = identity_of(of_a_header_and_a_place, &beside);
    assert_eq!((key.as_str(), seq), ("acme~1eu/7", 3));
}

#[test]
fn a_part_that_is_empty_or_missing_is_named() {
    let event = json!({"tenant": "", "order": {"id": 7}, "seq": 3});
    assert_eq!(
        refusal(of_two_fields, event.to_string()),
        "the part `tenant` of the key is empty: every event must say which key it belongs to"
    );
    let headers = with_headers(json!({"order": {}}), &[("tenant", "acme"), ("seq", "1")]);
    let error = of_a_header_and_a_place.decode(&headers).err().unwrap();
    assert_eq!(error.0, "the event has no `/order/id`");
}

#[test]
fn an_enum_and_any_json_have_their_key_where_the_json_has_it() {
    for (kind, seq) in [("OrderCreated", json!(4)), ("OrderShipped", json!("4"))] {
        let event = json!({"type": kind, "order_id": "o-1", "seq": seq, "meta": {"id": 12}});
        assert_eq!(
            identity(of_an_enum, event),
            ("o-1".into(), 4, "12".into()),
            "{kind}"
        );
    }
    let (key, seq, _) = identity(of_a_value, json!([{"key": 5, "seq": 1}]));
    assert_eq!((key.as_str(), seq), ("5", 1));
    let (key, seq, _) = identity(of_values, json!({"key": "k", "seq": 2}));
    assert_eq!((key.as_str(), seq), ("k", 2));
}

#[test]
fn a_cloud_event_has_its_place_in_both_modes() {
    let attributes = [
        ("specversion", "1.0"),
        ("id", "17"),
        ("source", "/shop"),
        ("type", "OrderCreated"),
        ("subject", "order-7"),
        ("sequence", "00003"),
        ("tenant", "acme"),
    ];
    let data = json!({"id": 7, "amount": 5});
    let mut structured = json!({"data": data});
    for (name, value) in attributes {
        structured[name] = value.into();
    }
    let structured = with_headers(structured, &[]);
    let mut binary = with_headers(data, &[("amqp.content_type", "application/json")]);
    for (name, value) in attributes {
        let name = format!("cloudEvents:{name}");
        binary.headers.insert(name, value.into());
    }
    for envelope in [structured, binary] {
        let expected = ("order-7".to_owned(), 3, "/shop 17".to_owned());
        assert_eq!(identity_of(of_a_cloud_event, &envelope), expected);
        assert_eq!(identity_of(of_an_enum_of_cloud_events, &envelope), expected);
        assert_eq!(
            identity_of(of_a_tenants_cloud_event, &envelope),
            ("acme/order-7".into(), 3, "17".into())
        );
        let decoded = of_a_cloud_event.decode(&envelope).unwrap();
        assert_eq!(decoded.event.data.id, 7);
        assert_eq!(decoded.event.kind, "OrderCreated");
    }
}

#[test]
fn a_notification_of_sns_has_its_place_inside() {
    let body = json!({
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:orders",
        "Message": json!({"order_id": "o-1"}).to_string(),
        "MessageAttributes": {"seq": {"Type": "Number", "Value": "9"}},
    });
    assert_eq!(
        identity(of_a_notification, &body),
        ("o-1".into(), 9, "m-1".into())
    );
    let decoded = of_a_notification
        .decode(&Envelope::new(body.to_string()))
        .unwrap();
    assert_eq!(decoded.event.order_id, "o-1");
    assert!(refusal(of_a_notification, r#"{"order_id": "o-1"}"#).contains("raw message delivery"));
}
