//! Verbs on a key that a worker has.

use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Notify;

use crate::support::{Fixture, HandlerAction, Running};

/// A fixture in which a worker is at work on seq 1 of `k`.
async fn at_work(act: impl Fn() -> HandlerAction + Send + Sync + 'static) -> (Fixture, Running) {
    let fixture = Fixture::new(move |context, _| match context.seq().get() {
        1 => act(),
        _ => HandlerAction::Succeed,
    })
    .await;
    let worker = fixture.start("w3", |worker| worker);
    fixture.publish("k", [1]).await;
    fixture
        .until("k", "at work", |view| view.claim.is_some())
        .await;
    (fixture, worker)
}

const WAITING: &str = "ordered: waiting up to 30s for worker w3 to hand over k";

#[tokio::test]
async fn a_verb_waits_for_the_end_of_the_event_at_work() {
    let let_go = Arc::new(Notify::new());
    let notify = Arc::clone(&let_go);
    let (fixture, worker) = at_work(move || HandlerAction::Wait(Arc::clone(&notify))).await;
    let mut command = fixture.command(&["pause", "k"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(errors.next_line().await.unwrap().as_deref(), Some(WAITING));
    let view = fixture.view("k").await.unwrap();
    assert!(view.claim.unwrap().hand_over && !view.paused);
    let text = fixture.ordered("explain k").await.ok();
    assert!(
        text.contains("Another worker or an operator waits for it."),
        "{text}"
    );
    let_go.notify_one();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(errors.next_line().await.unwrap(), None);
    let view = fixture.view("k").await.unwrap();
    assert_eq!((view.last_seq, view.paused), (1, true));
    assert_eq!(fixture.handled("k"), [1]);
    worker.stop().await;
}

#[tokio::test]
async fn it_gives_up_with_6_and_changes_nothing() {
    let (fixture, worker) = at_work(|| HandlerAction::Hang).await;
    let message = fixture.ordered("pause k --wait 100ms").await.fails(6);
    assert!(
        message.contains("ordered: waiting up to 100ms for worker w3 to hand over k\n"),
        "{message}"
    );
    assert!(
        message.contains("ordered: k: worker w3 has the key and did not give it up within 100ms"),
        "{message}"
    );
    assert!(message.contains("--force"), "{message}");
    assert!(!fixture.view("k").await.unwrap().paused);
    // To look at what it would do needs no key.
    fixture.ordered("pause k --dry-run --wait 0s").await.ok();
    worker.kill().await;
}

#[tokio::test]
async fn force_takes_the_key_away() {
    let (fixture, worker) = at_work(|| HandlerAction::Hang).await;
    let output = fixture.ordered("skip k --to 1 --yes --force").await.ok();
    assert_eq!(
        output,
        "k: skip: pass over 1; move the last seq from 0 to 1; release nothing"
    );
    let log = fixture.ordered("audit --json").await.json();
    assert_eq!(log["entries"][0]["verb"], "skip --to 1 --force");
    assert_eq!(fixture.view("k").await.unwrap().last_seq, 1);
    assert!(fixture.handled("k").is_empty());
    worker.kill().await;
}
