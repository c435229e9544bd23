//! What is checked before a router runs, and how one is chosen.

use std::time::Duration;

use ordered_core::transport::Faults;
use ordered_events::{BuildError, Envelope, Handler, Router, WorkerBuilder, ordered_handler};
use serde::Deserialize;

use super::{Event, Fixture, any_order, event, order_created, order_shipped, orders};

#[derive(Deserialize)]
#[allow(dead_code)]
struct Other {
    order: String,
    order_id: String,
    seq: u64,
    id: String,
}

fn refusal(handler: impl Handler) -> String {
    refusal_of(Fixture::new(Faults::default()).worker(handler))
}

fn refusal_of(worker: WorkerBuilder) -> String {
    match worker.build() {
        Ok(_) => panic!("the worker can be built"),
        Err(error @ BuildError::Handler(_)) => error.to_string(),
        Err(error) => panic!("{error}"),
    }
}

#[ordered_handler(key = "order", seq = "seq", on = "Other")]
async fn other_key(_event: Other) {}

#[ordered_handler(key = "order_id", seq = "seq", id = "id", on = "Other")]
async fn other_id(_event: Other) {}

#[ordered_handler(key = "order_id", seq = "seq", timeout = "5s", on = "Other")]
async fn other_timeout(_event: Other) {}

#[ordered_handler(key = "order_id", seq = "seq", order = "monotonic", on = "Other")]
async fn other_order(_event: Other) {}

#[ordered_handler(key = "order_id", seq = "seq", envelope = "sns", on = "Other")]
async fn other_envelope(_event: Other) {}

#[ordered_handler(key = "order_id", seq = "seq", on = "Other", event_type = "/meta/kind")]
async fn other_place(_event: Other) {}

#[test]
fn handlers_that_differ_are_refused_with_what_they_differ_in() {
    let with = |what: &str, refusal: String| {
        assert!(refusal.contains("`OrderCreated`"), "{refusal}");
        assert!(refusal.contains("`Other`"), "{refusal}");
        assert!(refusal.contains(&format!("differ in {what}:")), "{refusal}");
    };
    let places = "key, seq, id or envelope";
    with(places, refusal(orders().handler(other_key)));
    with(places, refusal(orders().handler(other_id)));
    with(places, refusal(orders().handler(other_envelope)));
    with("`timeout`", refusal(orders().handler(other_timeout)));
    with("`order`", refusal(orders().handler(other_order)));
}

#[test]
fn the_group_of_a_router_is_said_once() {
    let without = || Router::new().handler(order_created).handler(order_shipped);
    let refused = refusal(without());
    assert!(
        refused.contains("the groups `order_created`, `order_shipped`"),
        "{refused}"
    );
    assert!(refused.contains(".group(\"orders\")"), "{refused}");
    let fixture = Fixture::new(Faults::default());
    let built = fixture
        .worker(without())
        .group("by-builder")
        .build()
        .unwrap();
    assert_eq!(built.options().group, "by-builder");
    let built = fixture.worker(orders()).build().unwrap();
    assert_eq!(built.options().group, "orders");
    let alone = fixture.worker(order_created).build().unwrap();
    assert_eq!(alone.options().group, "order_created");
}

#[test]
fn a_router_that_cannot_choose_is_refused() {
    for (router, words) in [
        (Router::new(), "has no handler"),
        (
            orders().on("OrderCreated", any_order),
            "two handlers for `OrderCreated`",
        ),
        (orders().on(" ", any_order), "is empty"),
        (
            orders().handler(any_order),
            "the handler of group `orders` names no types",
        ),
        (
            Router::new().on("Created", order_created),
            "says itself that it handles `OrderCreated`",
        ),
        (
            orders().event_type("kind"),
            "`kind` is no place of the type",
        ),
        (
            orders().event_type("header:kind").handler(other_place),
            "say it in one place",
        ),
        (
            orders().handler(other_place).event_type("header:kind"),
            "say it in one place",
        ),
    ] {
        let refused = refusal(router);
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_second_handler_of_a_worker_is_told_the_way() {
    let worker = Fixture::new(Faults::default()).worker(any_order);
    let error = match worker.handler(order_created).build() {
        Ok(_) => panic!("the worker can be built"),
        Err(error) => error.to_string(),
    };
    for words in [
        "the events of `orders`",
        "Router::new().on(",
        "App::new().handler(",
    ] {
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_names_its_types_is_a_router_of_one() {
    let fixture = Fixture::new(Faults::default());
    let events = vec![event("a", 1, "OrderCreated"), event("b", 1, "OrderShipped")];
    fixture.publish(events).await;
    let worker = fixture.run(fixture.worker(order_created).group("orders"));
    fixture.settled().await;
    worker.stop().await;
    assert_eq!(fixture.handled("a"), [(1, "created")]);
    assert_eq!(fixture.handled("b"), []);
    let error = fixture.view("b").await.last_error.unwrap().error;
    assert!(error.contains("`OrderShipped`"), "{error}");
}

#[ordered_handler(
    key = "order_id",
    seq = "seq",
    group = "orders",
    on = "created",
    event_type = "header:kind"
)]
async fn by_header(
    event: Event<serde_json::Value>,
    ordered_events::State(log): ordered_events::State<super::Log>,
) {
    assert!(event.payload.is_object());
    let mut log = log.lock().unwrap();
    log.push((event.order_id, event.seq, "by header"));
}

#[tokio::test(start_paused = true)]
async fn the_type_is_where_the_setting_says() {
    for handler in [
        Router::new().handler(by_header),
        Router::new()
            .on("created", any_order)
            .event_type("header:kind"),
    ] {
        let fixture = Fixture::new(Faults::default());
        // What its body says does not count.
        let mut message = event("a", 1, "OrderShipped");
        message.headers.insert("kind".into(), "created".into());
        fixture.publish(vec![message]).await;
        let worker = fixture.start(handler);
        fixture.settled().await;
        worker.stop().await;
        assert_eq!(fixture.handled("a").len(), 1);
    }
}

#[derive(Deserialize)]
struct Noted {
    note: String,
}

#[ordered_handler(
    key = "/order",
    seq = "/seq",
    group = "orders",
    envelope = "sns",
    on = "Noted",
    event_type = "header:kind"
)]
async fn over_sns(event: Noted, ordered_events::State(log): ordered_events::State<super::Log>) {
    log.lock().unwrap().push((event.note, 1, "over sns"));
}

#[tokio::test(start_paused = true)]
async fn an_attribute_in_a_notification_of_sns_may_be_the_type() {
    let fixture = Fixture::new(Faults::default());
    let body = serde_json::json!({
        "Type": "Notification",
        "Message": r#"{"order": "a", "seq": 1, "note": "hello"}"#,
        "MessageAttributes": {"kind": {"Type": "String", "Value": "Noted"}},
    });
    fixture.publish(vec![Envelope::new(body.to_string())]).await;
    let worker = fixture.start(over_sns);
    fixture.settled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    worker.stop().await;
    assert_eq!(fixture.handled("hello"), [(1, "over sns")]);
}
