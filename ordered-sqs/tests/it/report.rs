//! What is said about a queue at the start.

use std::time::Duration;

use ordered_core::transport::{Intake, Transport, WorkerFacts};

use crate::canned::{Canned, Log};

#[tokio::test(start_paused = true)]
async fn the_attributes_are_explained() {
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:1:target.fifo","maxReceiveCount":3}"#;
    let canned = Canned::new(&[], |_| None).attributes([
        ("VisibilityTimeout", "45"),
        ("RedrivePolicy", policy),
        ("MessageRetentionPeriod", "3600"),
        ("ApproximateNumberOfMessages", "17"),
        ("FifoQueue", "true"),
    ]);
    let log = Log::new();
    let consumer = canned.connect("orders.fifo").await.unwrap();
    consumer.start(Intake { max_unsettled: 5 }).await.unwrap();
    let text = log.text();
    for part in [
        "kind=\"FIFO\"",
        "backlog=17",
        "visibility=45s",
        "dead_letters=\"target.fifo\"",
        "WARN",
        "max_receive_count=3",
        "set maxReceiveCount to 100 or more",
        "seconds=3600",
        "eu-central-1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

/// What the log says at the start of a worker with this timeout and so many attempts, on a queue with a visibility
/// timeout of 45 seconds and this many receives.
async fn said(handler_timeout: u64, max_crashes: u32, max_receives: u32) -> String {
    let policy = format!(
        r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:1:target","maxReceiveCount":{max_receives}}}"#
    );
    let canned = Canned::new(&[], |_| None)
        .attributes([("VisibilityTimeout", "45"), ("RedrivePolicy", &policy)]);
    let log = Log::new();
    let consumer = canned.connect("orders").await.unwrap();
    let handler_timeout = Duration::from_secs(handler_timeout);
    consumer.introduce(WorkerFacts::new(handler_timeout, max_crashes));
    consumer.start(Intake { max_unsettled: 5 }).await.unwrap();
    log.text()
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    let line = |line: &str| parts.iter().all(|part| line.contains(part));
    assert!(text.lines().any(line), "{parts:?}: {text}");
}

#[tokio::test(start_paused = true)]
async fn the_visibility_timeout_is_held_against_the_handlers() {
    let text = said(30, 5, 1_000).await;
    says(
        &text,
        &["INFO", "visibility=45s handler_timeout=30s", "ends within"],
    );
    for seconds in [45, 600] {
        let text = said(seconds, 5, 1_000).await;
        let both = format!("visibility=45s handler_timeout={seconds}s");
        says(&text, &["INFO", &both, "relies on extensions", "for 30s"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_receives_of_the_queue_are_held_against_the_attempts_of_the_handler() {
    let text = said(30, 5, 4).await;
    let both = "max_crashes=5";
    says(
        &text,
        &[
            "WARN",
            "max_receive_count=4",
            both,
            "before its key is halted",
        ],
    );
    let text = said(30, 5, 5).await;
    says(
        &text,
        &[
            "WARN",
            "max_receive_count=5",
            both,
            "after so many receives",
        ],
    );
    let text = said(30, 5, 100).await;
    says(&text, &["INFO", "max_receive_count=100", "one receive"]);
    assert!(!text.contains("WARN"), "{text}");
}
