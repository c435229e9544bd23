//! The JSON documents: one on a line, with these fields, whatever else happens.

use std::collections::BTreeSet;
use std::process::Stdio;

use ordered_core::handler::OnExhausted;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Fixture, HandlerAction, Running, masked};

fn fields(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[track_caller]
fn assert_fields(value: &Value, names: &str) {
    assert_eq!(fields(value), names.split(' ').collect(), "{value}");
}

/// One key with an event aside and one in a gap.
async fn busy() -> (Fixture, Running) {
    let fixture = Fixture::new(
        |context, _| match (context.key().as_str(), context.seq().get()) {
            ("aside", 1) => HandlerAction::FailPermanently,
            _ => HandlerAction::Succeed,
        },
    )
    .await;
    let worker = fixture.start("w1", |worker| worker.on_exhausted(OnExhausted::DeadLetter));
    fixture.publish("aside", 1..=2).await;
    fixture.publish("gap", [1, 3]).await;
    fixture.until_done("aside", 2).await;
    fixture
        .until("gap", "in a gap", |view| {
            view.held_events == 1 && view.gap_since.is_some()
        })
        .await;
    (fixture, worker)
}

#[tokio::test]
async fn every_document_has_its_fields() {
    let (fixture, worker) = busy().await;
    let status = fixture.ordered("status --json").await.json();
    assert_fields(&status, "groups broker");
    let group = &status["groups"][0];
    assert_fields(
        group,
        "group order paused keys held_events held_bytes dead_events oldest_gap workers now",
    );
    assert_fields(
        &group["keys"],
        "all active held gap backing_off suspect halted paused",
    );
    assert_fields(&group["oldest_gap"], "key since");
    assert_fields(&group["workers"][0], "id lease_until alive version keys");
    assert_eq!(
        (&group["keys"]["all"], &group["dead_events"]),
        (&2.into(), &1.into())
    );

    let keys = fixture.ordered("keys --json").await.json();
    assert_fields(&keys, "group keys more");
    assert_fields(
        &keys["keys"][1],
        "key status paused last_seq seq since worker attempts error held_events held_bytes dead_events",
    );
    assert_eq!(
        (&keys["keys"][1]["key"], &keys["keys"][1]["status"]),
        (&"gap".into(), &"gap".into())
    );
    let one = fixture.ordered("keys --json --limit 1").await.json();
    assert_eq!(
        (one["keys"].as_array().unwrap().len(), &one["more"]),
        (1, &true.into())
    );

    let held = fixture.ordered("held gap --json").await.json();
    assert_fields(&held, "group key last_seq held_events held_bytes events");
    assert_fields(&held["events"][0], "seq id since bytes");

    let dead = fixture.ordered("dead --json").await.json();
    assert_fields(&dead, "group dead_events events");
    assert_fields(
        &dead["events"][0],
        "key epoch seq id cause error attempts at replay replay_attempts",
    );

    let workers = fixture.ordered("workers --json").await.json();
    assert_fields(&workers, "group workers now");

    let explained = fixture.ordered("explain gap --json").await.json();
    assert_fields(&explained, "explanation key");
    assert_fields(
        &explained["explanation"],
        "group key status paused seq since worker attempts max_attempts max_crashes give_up_at error next_step \
         suggested_actions text",
    );
    assert_fields(
        &explained["explanation"]["suggested_actions"][0],
        "command effect",
    );
    let unknown = fixture.ordered("explain x --json").await.json();
    assert_eq!(
        (&unknown["key"], &unknown["explanation"]["status"]),
        (&Value::Null, &"never_seen".into())
    );

    let skip = fixture.ordered("skip gap --yes --json").await.json();
    assert_fields(
        &skip,
        "group key verb dry_run last_seq_before last_seq released removed marked removal",
    );
    let pause = fixture.ordered("pause --json").await.json();
    assert_fields(&pause, "group key verb dry_run");
    let replay = fixture.ordered("replay --dry-run --json").await.json();
    assert_fields(
        &replay,
        "group verb dry_run keys done refused failed left more",
    );
    assert_fields(
        &replay["keys"][0],
        "key state last_seq_before last_seq released removed marked removal",
    );
    let replay = fixture
        .ordered("replay aside --dry-run --json")
        .await
        .json();
    assert_fields(&replay, "group dry_run keys");
    let errors = fixture.ordered("errors --json").await.json();
    assert_fields(&errors, "group causes more now");
    assert_fields(
        &errors["causes"][0],
        "cause events halted backing_off dead first_at last_at example",
    );
    let audit = fixture.ordered("audit --json").await.json();
    assert_fields(&audit["entries"][0], "at who why key verb outcome");
    worker.stop().await;
}

#[tokio::test]
async fn tables_are_for_people() {
    let (fixture, worker) = busy().await;
    let keys = masked(&fixture.ordered("keys").await.ok());
    let lines: Vec<Vec<&str>> = keys
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["KEY", "STANDING", "LAST", "AT", "SINCE", "HELD", "DEAD"]
    );
    assert_eq!(lines[1], ["aside", "idle", "2", "3", "-", "0", "1"]);
    assert_eq!(lines[2], ["gap", "gap", "1", "2", "T", "(D)", "1", "0"]);
    let stuck = fixture.ordered("keys --stuck").await.ok();
    assert_eq!(stuck.lines().count(), 3);
    let status = masked(&fixture.ordered("status").await.ok());
    for output in [
        "group orders\n",
        "keys          2: 0 active, 1 with held events, 1 in a gap, 0 backing off, 0 suspect, 0 halted, 0 paused\n",
        "oldest gap    gap since T (D)\n",
        "held          1 event, 22 B\n",
        "dead letters  1 in the store\n",
        "workers       1 alive\n",
        "w1: lease until T (in D), version ",
    ] {
        assert!(status.contains(output), "{output}\n{status}");
    }
    let held = fixture.ordered("held aside").await.ok();
    assert_eq!(held, "nothing of aside is held");
    worker.stop().await;
}

#[tokio::test]
async fn watch_shows_what_changes_one_document_a_line() {
    let (fixture, worker) = busy().await;
    let mut command = fixture.command(&["keys", "--stuck", "--json", "--watch", "0.05"]);
    let mut child = command
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = lines.next_line().await.unwrap().unwrap();
        let document: Value = serde_json::from_str(&line).unwrap();
        document["keys"].as_array().unwrap().len()
    };
    assert_eq!(next().await, 2);
    fixture.ordered("skip gap --yes").await.ok();
    while next().await != 1 {}
    child.kill().await.unwrap();
    worker.stop().await;
}
