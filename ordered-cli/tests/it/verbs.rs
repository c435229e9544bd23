//! The other verbs, and what they leave in the audit log.

use std::collections::BTreeMap;

use bytes::Bytes;
use ordered_core::event::Envelope;
use ordered_core::transport::Publish;
use serde_json::{Value, json};

use crate::support::{Fixture, masked};

/// A key that waits for 1, with 3 and 4 held.
async fn gap() -> (Fixture, crate::support::Running) {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [3, 4]).await;
    fixture
        .until("k", "in a gap", |view| view.held_events == 2)
        .await;
    (fixture, worker)
}

#[tokio::test]
async fn skip_goes_over_a_gap_and_no_further_than_it_said() {
    let (fixture, worker) = gap().await;
    assert_eq!(
        fixture.ordered("skip k --dry-run").await.ok(),
        "k: skip would: pass over 1–2; move the last seq from 0 to 2; release 2 events (3–4)"
    );
    fixture
        .ordered("skip k --to 3 --yes --why too_late")
        .await
        .ok();
    fixture.until_done("k", 4).await;
    assert_eq!(fixture.handled("k"), [4]);
    let log = fixture.ordered("audit --json").await.json();
    let entry = &log["entries"][0];
    assert_eq!(
        (&entry["verb"], &entry["key"], &entry["why"]),
        (&json!("skip --to 3"), &json!("k"), &json!("too_late"))
    );
    assert!(
        entry["who"].as_str().unwrap().starts_with("ada@"),
        "{entry}"
    );
    worker.stop().await;
}

#[tokio::test]
async fn what_is_skipped_is_written_down_as_it_was_shown() {
    let (fixture, worker) = gap().await;
    fixture.ordered("skip k --yes").await.ok();
    let log = fixture.ordered("audit --json").await.json();
    assert_eq!(log["entries"][0]["verb"], "skip --to 2");
    worker.stop().await;
}

#[tokio::test]
async fn set_last_moves_a_key_both_ways() {
    let (fixture, worker) = gap().await;
    assert_eq!(
        fixture.ordered("set-last k 3 --yes").await.ok(),
        "k: set-last: dead-letter 1 event (3); pass over 1–2; move the last seq from 0 to 3; release 1 event (4)"
    );
    fixture.until_done("k", 4).await;
    assert_eq!(
        fixture.ordered("set-last k 0 --dry-run").await.ok(),
        "k: set-last would: begin the numbering again, so that 1 to 4 are handled again if they come again; move the \
         last seq from 4 to 0"
    );
    fixture.ordered("set-last k 0 --yes").await.ok();
    let view = fixture.view("k").await.unwrap();
    assert_eq!((view.last_seq, view.epoch), (0, 1));
    // A key that was never seen is moved too: so it is taken over from another system.
    fixture.ordered("set-last new 1200 --yes").await.ok();
    fixture.publish("new", [1201]).await;
    fixture.until_done("new", 1201).await;
    worker.stop().await;
}

#[tokio::test]
async fn pause_and_resume_stop_a_key_and_a_group() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [1]).await;
    fixture.until_done("k", 1).await;
    fixture.ordered("pause k --dry-run").await.ok();
    assert!(!fixture.view("k").await.unwrap().paused);
    assert_eq!(
        fixture.ordered("pause k").await.ok(),
        "k: pause: grant nothing more of it until it is resumed; what runs is finished"
    );
    assert_eq!(
        fixture.ordered("pause k").await.fails(1),
        "ordered: k: it is so already"
    );
    fixture.publish("k", [2]).await;
    fixture
        .until("k", "holding", |view| view.held_events == 1)
        .await;
    assert_eq!(
        fixture.ordered("resume k").await.ok(),
        "k: resume: release 1 event (2)"
    );
    fixture.until_done("k", 2).await;

    assert_eq!(
        fixture.ordered("pause --dry-run").await.ok(),
        "group orders: pause would: grant nothing more of any key until it is resumed; what runs is finished"
    );
    assert!(!fixture.view("k").await.unwrap().group_paused);
    fixture.ordered("pause --group orders").await.ok();
    fixture.publish("k", [3]).await;
    fixture
        .until("k", "holding", |view| view.held_events == 1)
        .await;
    assert_eq!(
        fixture.ordered("pause").await.fails(1),
        "ordered: group orders: it is so already"
    );
    fixture.ordered("resume").await.ok();
    fixture.until_done("k", 3).await;
    let log = masked(&fixture.ordered("audit --limit 2").await.ok());
    let verbs: Vec<&str> = log
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().nth(2).unwrap())
        .collect();
    assert_eq!(verbs, ["resume", "pause"]);
    worker.stop().await;
}

#[tokio::test]
async fn a_pause_for_a_time_ends_by_itself_although_the_workers_were_restarted() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("another", [1]).await;
    fixture.until_done("another", 1).await;
    assert_eq!(
        fixture.ordered("pause k --for 3s").await.ok(),
        "k: pause: grant nothing more of it for 3 s, or until it is resumed; what runs is finished"
    );
    let paused = std::time::Instant::now();
    fixture.publish("k", [1, 2]).await;
    fixture
        .until_at_rest("k", "holding", |view| view.held_events == 2)
        .await;
    let output = masked(&fixture.ordered("explain k").await.ok());
    assert!(
        output.starts_with("k is paused until T. Else seq 1 could run."),
        "{output}"
    );
    assert!(
        output.contains("The pause ends at T (in D), and the key goes on."),
        "{output}"
    );
    worker.stop().await;
    let view = fixture.view("k").await.unwrap();
    assert!(view.paused && view.paused_until.is_some_and(|until| until > view.now));
    let worker = fixture.start("w2", |worker| worker);
    fixture.until_done("k", 2).await;
    assert!(paused.elapsed() >= std::time::Duration::from_millis(2_900));
    let view = fixture.view("k").await.unwrap();
    assert!(!view.paused && view.paused_until.is_none());
    let log = fixture.ordered("audit --json").await.json();
    assert_eq!(log["entries"][0]["verb"], "pause --for 3s");
    // One without events ends, too.
    fixture.ordered("pause k --for 1ms").await.ok();
    fixture.until("k", "going on", |view| !view.paused).await;
    fixture.ordered("pause k --for 1h").await.ok();
    fixture.ordered("resume k").await.ok();
    assert!(!fixture.view("k").await.unwrap().paused);
    worker.stop().await;
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_writes_nothing_down() {
    let (fixture, worker) = gap().await;
    let before = fixture.view("k").await.unwrap();
    for line in [
        "skip k --dry-run",
        "discard k 3 --dry-run",
        "set-last k 7 --dry-run",
        "pause k --dry-run",
        "pause --dry-run",
    ] {
        let output = fixture.ordered(line).await.ok();
        assert!(output.contains(" would: "), "{output}");
        let document = fixture.ordered(&format!("{line} --json")).await.json();
        assert_eq!(document["dry_run"], true, "{document}");
    }
    let mut after = fixture.view("k").await.unwrap();
    after.now = before.now;
    assert_eq!(after, before);
    assert_eq!(
        fixture.ordered("audit").await.ok(),
        "no operator did anything yet"
    );
    worker.stop().await;
}

#[tokio::test]
async fn export_writes_every_event_whole() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    let mut envelope = Envelope::new(Bytes::from_static(b"k 3 e-3 \"two\" words"));
    envelope.headers = BTreeMap::from([("traceparent".into(), "00-1".into())]);
    envelope.published_at = Some(1_000);
    fixture.broker.publish(vec![envelope]).await.unwrap();
    fixture.publish("k", [4, 5]).await;
    fixture.publish("done", [1]).await;
    fixture
        .until("k", "holding three", |view| view.held_events == 3)
        .await;
    fixture.until_done("done", 1).await;
    fixture.ordered("discard k 4 --yes").await.ok();
    let out = fixture.ordered("export").await.ok();
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen: Vec<(&str, u64)> = lines
        .iter()
        .map(|line| {
            (
                line["kind"].as_str().unwrap(),
                line["seq"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, [("dead", 4), ("held", 3), ("held", 5)]);
    let mut third = lines[1].clone();
    assert!(third["since"].take().as_u64().is_some());
    assert_eq!(
        third,
        json!({
            "group": "orders", "key": "k", "kind": "held", "epoch": 0, "seq": 3, "id": "e-3", "since": null,
            "published_at": 1_000, "headers": {"traceparent": "00-1"}, "payload": "k 3 e-3 \"two\" words",
        })
    );
    assert_eq!(lines[0]["cause"], "discarded");
    // What is not text is written so that it can be.
    let blob = crate::support::TempFile::new("");
    std::fs::write(&blob.0, [0xff, 0x00]).unwrap();
    fixture
        .run(&["edit", "k", "5", "--yes", "--payload", blob.path()])
        .await
        .ok();
    let out = fixture.ordered("export k").await.ok();
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["payload_base64"], &last["payload"]),
        (&json!("/wA="), &Value::Null)
    );
    worker.stop().await;
}
