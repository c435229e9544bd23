//! Why events failed, and the whole of one event.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use ordered_core::event::Envelope;
use ordered_core::handler::OnExhausted;
use ordered_core::transport::Publish;
use serde_json::json;

use crate::support::{Fixture, HandlerAction, TempFile, masked};

#[tokio::test]
async fn errors_are_grouped_by_cause() {
    let fixture = Fixture::new(|context, _| match context.key().as_str() {
        "order-1" => HandlerAction::FailWith("order-1: no price for the article 4711"),
        "order-2" => HandlerAction::FailWith("order-2: no price for the article 12"),
        "order-3" => HandlerAction::FailWith("the customer is unknown"),
        _ => HandlerAction::Succeed,
    })
    .await;
    let worker = fixture.start("w1", |worker| worker);
    for key in ["order-1", "order-2", "order-3", "order-4"] {
        fixture.publish(key, [1]).await;
    }
    for key in ["order-1", "order-2", "order-3"] {
        fixture
            .until_at_rest(key, "halted", |view| view.phase == "halted")
            .await;
    }
    fixture.ordered("skip order-2 --yes").await.ok();
    let table = masked(&fixture.ordered("errors").await.ok());
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "EVENTS", "HALTED", "BACKOFF", "DEAD", "FIRST", "LAST", "EXAMPLE", "CAUSE"
        ]
    );
    assert_eq!(lines[1][..4], ["2", "1", "0", "1"]);
    assert!(
        table
            .lines()
            .nth(1)
            .unwrap()
            .ends_with("…: no price for the article …"),
        "{table}"
    );
    assert!(
        table
            .lines()
            .nth(2)
            .unwrap()
            .ends_with("the customer is unknown"),
        "{table}"
    );
    let document = fixture.ordered("errors --json --limit 1").await.json();
    assert_eq!(document["more"], true);
    let cause = &document["causes"][0];
    assert_eq!(
        (
            &cause["events"],
            &cause["halted"],
            &cause["backing_off"],
            &cause["dead"]
        ),
        (&json!(2), &json!(1), &json!(0), &json!(1))
    );
    let one = fixture.ordered("errors --json --key order-3").await.json();
    assert_eq!(
        one["causes"][0]["example"],
        json!({"key": "order-3", "seq": 1, "error": "the customer is unknown"})
    );
    // What it shows can be given to a verb.
    let output = fixture
        .run(&[
            "retry",
            "--error",
            "…: no price for the article …",
            "--dry-run",
        ])
        .await
        .ok();
    assert!(
        output.starts_with("order-1: retry would: release"),
        "{output}"
    );
    worker.stop().await;
}

#[tokio::test]
async fn without_failures_it_says_so() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [1]).await;
    fixture.until_done("k", 1).await;
    let output = fixture.ordered("errors").await.ok();
    assert!(output.starts_with("no event failed"), "{output}");
    worker.stop().await;
}

#[tokio::test]
async fn show_tells_one_event_whole() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker.on_exhausted(OnExhausted::DeadLetter));
    let mut envelope = Envelope::new(Bytes::from_static(b"k 3 e-3 {}"));
    envelope.headers.insert("traceparent".into(), "00-1".into());
    envelope.published_at = Some(1_000);
    fixture.broker.publish(vec![envelope]).await.unwrap();
    fixture
        .until_at_rest("k", "in a gap", |view| view.held_events == 1)
        .await;
    let json = TempFile::new(r#"{"price":1e400,"lines":[{"sku":"a b"}]}"#);
    fixture
        .run(&["edit", "k", "3", "--yes", "--payload", json.path()])
        .await
        .ok();
    let text = masked(&fixture.ordered("show k 3").await.ok());
    assert_eq!(
        text,
        "k seq 3\n  held, since T\n  id         e-3\n  published  T\n  header     traceparent: 00-1\n  body       39 \
         B\n\n\
         {\n  \"price\": 1e400,\n  \"lines\": [\n    {\n      \"sku\": \"a b\"\n    }\n  ]\n}"
    );
    let body = fixture.ordered("show k 3 --body").await.ok();
    assert_eq!(body, r#"{"price":1e400,"lines":[{"sku":"a b"}]}"#);
    let document = fixture.ordered("show k 3 --json").await.json();
    assert_eq!(
        (
            &document["kind"],
            &document["payload"],
            &document["headers"]
        ),
        (
            &json!("held"),
            &json!(body),
            &json!({"traceparent": "00-1"})
        )
    );
    fixture.ordered("discard k 3 --yes").await.ok();
    let text = fixture.ordered("show k 3").await.ok();
    assert!(text.contains("dead letter, since"), "{text}");
    assert!(text.contains("cause      discarded"), "{text}");
    let message = fixture.ordered("show k 4").await.fails(1);
    assert_eq!(
        message,
        "ordered: k: no such event is held or dead-lettered"
    );
    worker.stop().await;
}

/// An editor that does to its file what a script says.
fn editor(script: &str) -> TempFile {
    let editor = TempFile::new(&format!("#!/bin/sh\n{script}\n"));
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&editor.0, mode).unwrap();
    editor
}

#[tokio::test]
async fn an_event_is_edited_in_an_editor() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [2]).await;
    fixture
        .until_at_rest("k", "in a gap", |view| view.held_events == 1)
        .await;
    let run = async |editor: &TempFile| {
        let words = ["edit", "k", "2", "--editor", "--yes"];
        let mut command = fixture.command(&words);
        command.env_remove("VISUAL").env("EDITOR", editor.path());
        crate::support::CommandOutput::of(command.output().await.unwrap())
    };
    let message = run(&editor("true")).await.fails(1);
    assert!(message.contains("the body is as it was"), "{message}");
    let message = run(&editor("exit 3")).await.fails(1);
    assert!(message.contains("nothing was changed"), "{message}");
    let changed = run(&editor("sed -i s/as-sent/edited/ \"$1\"")).await.ok();
    assert_eq!(
        changed,
        "k: edit: give seq 2 a body of 14 B for one of 15 B"
    );
    fixture.publish("k", [1]).await;
    fixture.until_done("k", 2).await;
    assert_eq!(fixture.handled_as("k", 2).as_deref(), Some("edited"));
    let mut command = fixture.command(&["edit", "k", "2", "--editor"]);
    command.env_remove("VISUAL").env_remove("EDITOR");
    let output = crate::support::CommandOutput::of(command.output().await.unwrap());
    assert!(output.fails(1).contains("no such event"));
    worker.stop().await;
}

#[tokio::test]
async fn shells_are_told_the_commands() {
    let fixture = Fixture::calm().await;
    for (shell, output) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef ordered"),
        ("fish", "complete -c ordered"),
    ] {
        let script = fixture.run(&["completions", shell]).await.ok();
        assert!(script.contains(output), "{shell}");
        assert!(script.contains("older-than"), "{shell}");
    }
}
