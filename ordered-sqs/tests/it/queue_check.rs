//! What is said about a queue at the start.

use ordered_testkit::LogCapture;
use std::time::Duration;

use ordered_core::transport::{ConsumeOptions, Transport, WorkerProfile};

use crate::support::fake_sqs::FakeSqs;

#[tokio::test(start_paused = true)]
async fn the_attributes_are_explained() {
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:1:target.fifo","maxReceiveCount":3}"#;
    let sqs = FakeSqs::new(&[], |_| None).attributes([
        ("VisibilityTimeout", "45"),
        ("RedrivePolicy", policy),
        ("MessageRetentionPeriod", "3600"),
        ("ApproximateNumberOfMessages", "17"),
        ("FifoQueue", "true"),
    ]);
    let log = LogCapture::of_this_thread();
    let consumer = sqs.connect("orders.fifo").await.unwrap();
    consumer
        .start(ConsumeOptions { max_unsettled: 5 })
        .await
        .unwrap();
    let text = log.text();
    for part in [
        "kind=\"FIFO\"",
        "backlog=17",
        "visibility=45s",
        "dead_letters=\"target.fifo\"",
        "WARN",
        "the queue breaks a promise: it dead-letters an event into target.fifo by itself after 3 receives",
        "Set maxReceiveCount to 100 or more",
        "the queue breaks a promise: it forgets what waits for longer than 1 h (MessageRetentionPeriod)",
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
    let sqs = FakeSqs::new(&[], |_| None)
        .attributes([("VisibilityTimeout", "45"), ("RedrivePolicy", &policy)]);
    let log = LogCapture::of_this_thread();
    let consumer = sqs.connect("orders").await.unwrap();
    let handler_timeout = Duration::from_secs(handler_timeout);
    consumer.set_worker_profile(WorkerProfile::new(handler_timeout, max_crashes));
    consumer
        .start(ConsumeOptions { max_unsettled: 5 })
        .await
        .unwrap();
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
    let before = "before its key is halted (max_crashes = 5)";
    says(&text, &["WARN", "after 4 receives", before]);
    let text = said(30, 5, 5).await;
    says(
        &text,
        &[
            "WARN",
            "after 5 receives",
            "also one that was only deferred",
        ],
    );
    let text = said(30, 5, 100).await;
    says(&text, &["INFO", "max_receive_count=100", "one receive"]);
    assert!(!text.contains("WARN"), "{text}");
}

/// What a worker is told of a queue with these attributes.
async fn promises<const N: usize>(
    attributes: [(&str, &str); N],
    worker: WorkerProfile,
) -> Vec<String> {
    let sqs = FakeSqs::new(&[], |_| None).attributes(attributes);
    let queue = "orders.fifo";
    let refused = {
        let strict = sqs.connect(queue).strict(true).await.unwrap();
        strict.set_worker_profile(worker);
        strict.start(ConsumeOptions { max_unsettled: 5 }).await
    };
    let log = LogCapture::of_this_thread();
    let consumer = sqs.connect(queue).await.unwrap();
    consumer.set_worker_profile(worker);
    consumer
        .start(ConsumeOptions { max_unsettled: 5 })
        .await
        .unwrap();
    let text = log.text();
    let lines = text.lines().filter(|line| line.contains("WARN"));
    let broken = |line: &str| {
        let (_, promise) = line.split_once("the queue breaks a promise: ").unwrap();
        promise.rsplit_once(" queue=").unwrap().0.to_owned()
    };
    let broken: Vec<String> = lines.map(broken).collect();
    match refused {
        Ok(()) => assert_eq!(broken, [""; 0]),
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains("is refused, since `strict` is set: "),
                "{text}"
            );
            assert!(broken.iter().all(|broken| text.contains(broken)), "{text}");
        }
    }
    broken
}

/// People saw: events that came again and again, were dead-lettered by the queue, forgotten, or dropped, with nothing
/// said at the start.
#[tokio::test(start_paused = true)]
async fn every_attribute_of_a_queue_that_breaks_a_promise_is_told_in_one_line_or_refused() {
    let worker = WorkerProfile::new(Duration::from_secs(30), 5);
    let good = [
        ("VisibilityTimeout", "30"),
        ("MessageRetentionPeriod", "345600"),
        ("DelaySeconds", "5"),
        ("ContentBasedDeduplication", "true"),
    ];
    assert_eq!(promises(good, worker).await, [""; 0]);
    let gap = worker.with_gap_timeout(Some(Duration::from_secs(60)));
    let headers = worker.with_headers(true);
    let slow = WorkerProfile::new(Duration::from_secs(13 * 60 * 60), 5);
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:1:t.fifo","maxReceiveCount":10}"#;
    for (attribute, value, worker, words) in [
        (
            "VisibilityTimeout",
            "9",
            worker,
            "are out of sight for 9 s only",
        ),
        (
            "MessageRetentionPeriod",
            "600",
            worker,
            "waits for longer than 10 min",
        ),
        ("RedrivePolicy", policy, worker, "after 10 receives"),
        ("DelaySeconds", "900", gap, "delays every event by 15 min"),
        ("ContentBasedDeduplication", "true", headers, "equal bodies"),
        ("VisibilityTimeout", "30", slow, "a handler may take 13 h"),
    ] {
        let told = promises([(attribute, value)], worker).await;
        assert_eq!(told.len(), 1, "{attribute}: {told:?}");
        assert!(told[0].contains(words), "{}", told[0]);
    }
}
