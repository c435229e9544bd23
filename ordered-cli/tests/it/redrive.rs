//! The dead letters of the brokers: looked at, exported, counted and put back.

use std::time::Instant;

use ordered_core::transport::{Disposition, ReasonKind, Settlement};
use ordered_testkit::server::RabbitServer;
use serde_json::{Value, json};

use crate::support::Fixture;
use crate::support::broker_queue::BrokerQueue;

fn ndjson(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn dead_letters_are_listed_shown_and_exported_and_stay_on_rabbitmq() {
    lists(BrokerQueue::rabbit().await).await;
}

#[tokio::test]
async fn dead_letters_are_listed_shown_and_exported_and_stay_on_sqs() {
    lists(BrokerQueue::sqs().await).await;
}

#[cfg(feature = "kafka")]
#[tokio::test]
async fn dead_letters_are_listed_shown_and_exported_and_stay_on_kafka() {
    lists(BrokerQueue::kafka().await).await;
}

async fn lists(queue: BrokerQueue) {
    let fixture = Fixture::calm().await;
    queue.three().await;
    let output = queue.ordered(&fixture, "dead").await.ok();
    let mut lines = output.lines();
    let titles: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(titles, ["#", "REASON", "SIZE", "BODY", "ERROR"]);
    assert_eq!(lines.count(), 3, "{output}");
    assert!(output.contains("no field `seq`"), "{output}");

    let document = queue
        .ordered(&fixture, "dead --json --reason late")
        .await
        .json();
    assert_eq!(
        (
            &document["queue"],
            &document["dead_events"],
            &document["more"]
        ),
        (&json!(queue.dead), &json!(3), &json!(false))
    );
    let letters = document["letters"].as_array().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["error"], "seq 2 was passed over");
    assert_eq!(letters[0]["queue"], json!(queue.name));

    let document = queue
        .ordered(&fixture, "dead --json --limit 2")
        .await
        .json();
    assert_eq!(document["letters"].as_array().unwrap().len(), 2);
    assert_eq!(document["more"], true);

    let exported = queue
        .ordered(&fixture, "dead --export --key order-17")
        .await
        .ok();
    let mut bodies: Vec<String> = ndjson(&exported)
        .iter()
        .map(|line| line["payload"].as_str().unwrap().to_owned())
        .collect();
    bodies.sort_unstable();
    assert_eq!(
        bodies,
        [
            r#"{"order_id":"order-17","seq":"x"}"#,
            r#"{"order_id":"order-17","seq":2}"#
        ]
    );
    assert_eq!(ndjson(&exported)[0]["headers"]["tenant"], "acme");

    let shown = queue.ordered(&fixture, "dead --show 1").await.ok();
    for output in [
        "dead letter 1\n  reason     ",
        "header     tenant: acme",
        "  \"order_id\": \"order-1",
    ] {
        assert!(shown.contains(output), "{output}\n{shown}");
    }
    let message = queue.ordered(&fixture, "dead --show 9").await.fails(1);
    assert!(
        message.contains("there is no dead letter number 9"),
        "{message}"
    );
    let none = queue.ordered(&fixture, "dead --key nobody").await.ok();
    assert!(none.contains("none of the 3 dead letters"), "{none}");
}

#[tokio::test]
async fn dead_letters_are_put_back_by_key_and_by_reason_on_rabbitmq() {
    puts_back(BrokerQueue::rabbit().await).await;
}

#[tokio::test]
async fn dead_letters_are_put_back_by_key_and_by_reason_on_sqs() {
    puts_back(BrokerQueue::sqs().await).await;
}

#[cfg(feature = "kafka")]
#[tokio::test]
async fn dead_letters_are_put_back_by_key_and_by_reason_on_kafka() {
    puts_back(BrokerQueue::kafka().await).await;
}

async fn puts_back(queue: BrokerQueue) {
    let fixture = Fixture::calm().await;
    queue.three().await;
    let would = queue
        .ordered(&fixture, "redrive --key order-17 --dry-run")
        .await
        .ok();
    assert_eq!(
        would,
        format!(
            "redrive would: put back 2 of 3 dead letters in `{}` (1 late, 1 malformed)",
            queue.dead
        )
    );
    // Nobody can be asked, and so nothing is done.
    let message = queue
        .ordered(&fixture, "redrive --reason late")
        .await
        .fails(2);
    assert!(
        message.contains("redrive would: put back 1 of 3"),
        "{message}"
    );
    let document = queue
        .ordered(&fixture, "redrive --key order-18 --yes --json")
        .await
        .json();
    assert_eq!(
        (
            &document["matched"],
            &document["redriven"],
            &document["failed"]
        ),
        (&json!(1), &json!(1), &json!(0))
    );
    let came = queue.receive(1).await;
    assert_eq!(came[0].envelope.body, r#"{"order_id":"order-18"}"#);
    assert_eq!(came[0].envelope.headers["tenant"], "acme");
    assert!(!came[0].envelope.headers.contains_key("x-ordered-reason"));
    let settlement = Settlement {
        token: came[0].token,
        disposition: Disposition::Ack,
    };
    queue.transport.settle(vec![settlement]).await.unwrap();
    let output = queue
        .ordered(&fixture, "redrive --all --limit 1 --yes")
        .await
        .ok();
    assert!(output.starts_with("redrive: put back 1 of 2"), "{output}");
    let message = queue
        .ordered(&fixture, "redrive --error nothing --yes")
        .await
        .fails(1);
    assert!(message.contains("none of the 1 dead letters"), "{message}");
    let message = queue.ordered(&fixture, "redrive --yes").await.fails(2);
    assert!(message.contains("which dead letters?"), "{message}");
    let left = queue.ordered(&fixture, "dead --json").await.json();
    assert_eq!(left["dead_events"], 1);
}

#[tokio::test]
async fn dead_letters_are_put_back_no_faster_than_the_rate() {
    let fixture = Fixture::calm().await;
    let queue = BrokerQueue::rabbit().await;
    let bodies: Vec<String> = (0..11).map(|number| format!("body {number}")).collect();
    let letters: Vec<(&str, ReasonKind, &str)> = bodies
        .iter()
        .map(|body| (body.as_str(), ReasonKind::Malformed, "why"))
        .collect();
    queue.dead_letter(&letters).await;
    let began = Instant::now();
    let output = queue
        .ordered(&fixture, "redrive --all --rate 10 --yes")
        .await
        .ok();
    assert!(output.starts_with("redrive: put back 11 of 11"), "{output}");
    let took = began.elapsed();
    assert!(took >= std::time::Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn status_counts_the_dead_letters_of_the_broker_where_it_is_given() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [1]).await;
    fixture.until_done("k", 1).await;
    let output = fixture.ordered("status").await.ok();
    assert!(output.contains("dead letters  0 in the store"), "{output}");
    assert!(
        output.ends_with("name it with --transport and --queue"),
        "{output}"
    );
    let document = fixture.ordered("status --json").await.json();
    assert_eq!(document["broker"], Value::Null);
    for queue in [BrokerQueue::rabbit().await, BrokerQueue::sqs().await] {
        queue.three().await;
        let output = queue.ordered(&fixture, "status").await.ok();
        let line = format!("broker\n  dead letters  3 in `{}`", queue.dead);
        assert!(output.ends_with(&line), "{output}");
        let document = queue.ordered(&fixture, "status --json").await.json();
        assert_eq!(
            document["broker"],
            json!({"queue": queue.dead, "dead_events": 3, "error": null})
        );
    }
    // A broker that cannot be asked hides nothing of the store.
    let words = [
        "status",
        "--transport",
        "amqp://127.0.0.1:1",
        "--queue",
        "q",
    ];
    let output = fixture.run(&words).await.ok();
    assert!(
        output.contains("dead letters  not counted: RabbitMQ cannot be reached"),
        "{output}"
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_gap_whose_event_is_a_dead_letter_of_the_broker_is_explained() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    for key in ["order-17", "order-99"] {
        fixture.publish(key, [1, 3]).await;
        fixture
            .until_at_rest(key, "in a gap", |view| view.held_events == 1)
            .await;
    }
    let queue = BrokerQueue::rabbit().await;
    queue.three().await;
    let output = queue.ordered(&fixture, "explain order-17").await.ok();
    let (first, last) = output.split_once("\n\n").unwrap();
    assert!(
        first.starts_with("order-17 waits for seq 2 since"),
        "{first}"
    );
    assert!(
        last.starts_with(&format!(
            "Of the broker's dead letters in `{}` these have order-17 in them: number ",
            queue.dead
        )),
        "{last}"
    );
    assert!(
        last.contains("(malformed: `seq` is not a number)"),
        "{last}"
    );
    assert!(
        last.ends_with(
            "Once their cause is fixed, `ordered redrive --key order-17` puts them back."
        ),
        "{last}"
    );
    let none = queue.ordered(&fixture, "explain order-99").await.ok();
    let none_has = format!(
        "None of the broker's dead letters in `{}` has order-99 in it.",
        queue.dead
    );
    assert!(none.ends_with(&none_has), "{none}");
    let document = queue
        .ordered(&fixture, "explain order-17 --json")
        .await
        .json();
    assert_eq!(document["broker"]["letters"].as_array().unwrap().len(), 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_broker_that_cannot_be_meant_is_refused() {
    let fixture = Fixture::calm().await;
    for (line, output) in [
        ("dead --transport amqp://localhost", "which queue?"),
        (
            "dead --transport memory://x --queue q",
            "lives in the process of its workers",
        ),
        ("dead --transport s3cret --queue q", "the broker is a URL"),
        (
            "dead --transport http://x --queue q",
            "there is no broker for `http://`",
        ),
        ("redrive --all", "which broker?"),
        ("dead --reason late", "add --transport"),
        (
            "dead k --transport amqp://h --queue q",
            "cannot be used with",
        ),
    ] {
        let message = fixture.ordered(line).await.fails(2);
        assert!(message.contains(output), "{line}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
    let server = RabbitServer::shared().await.unwrap();
    let words = ["dead", "--transport", &server.url(), "--queue", "no-such"];
    let message = fixture.run(&words).await.fails(4);
    assert!(
        message.contains("there is no queue \"no-such.dead\""),
        "{message}"
    );
}
