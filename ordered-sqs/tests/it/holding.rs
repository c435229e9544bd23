use ordered_testkit::LogCapture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ordered_core::transport::{ConsumeOptions, Disposition, Transport};
use tokio::time::sleep;

use crate::support::fake_sqs::{FakeSqs, error, partly, settle, take};

#[tokio::test(start_paused = true)]
async fn what_is_with_the_worker_is_extended_when_a_third_has_passed() {
    let sqs = FakeSqs::new(&["a"], |_| None);
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 1).await;
    let received = sqs.calls("ReceiveMessage")[0].at;
    sleep(Duration::from_secs(100)).await;
    settle(&consumer, &deliveries, &Disposition::Ack)
        .await
        .unwrap();
    let extensions = sqs.calls("ChangeMessageVisibilityBatch");
    let mut last = received;
    for extension in &extensions {
        let passed = extension.at - last;
        // The queue's 30 seconds are looked after every 5.
        assert!(passed >= Duration::from_secs(5), "{passed:?}");
        assert!(passed <= Duration::from_secs(10), "{passed:?}");
        assert_eq!(extension.body["Entries"][0]["VisibilityTimeout"], 30);
        last = extension.at;
    }
    assert!(extensions.len() >= 9, "{}", extensions.len());
    assert_eq!(sqs.calls("DeleteMessageBatch").len(), 1);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(
        sqs.calls("ChangeMessageVisibilityBatch").len(),
        extensions.len()
    );
}

/// What nobody has taken yet is held as well: its time runs from the call that received it.
#[tokio::test(start_paused = true)]
async fn what_waits_to_be_taken_is_extended_too() {
    let sqs = FakeSqs::new(&["a", "b"], |_| None);
    let consumer = sqs.start().await;
    take(&consumer, 1).await;
    sleep(Duration::from_secs(60)).await;
    let extensions = sqs.calls("ChangeMessageVisibilityBatch");
    assert!(
        extensions
            .iter()
            .all(|call| call.entries().contains(&"r-b")),
        "{extensions:?}"
    );
    assert!(extensions.len() >= 5);
    assert_eq!(take(&consumer, 1).await[0].envelope.body, "b");
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_says_is_not_ours_is_not_settled() {
    let sqs = FakeSqs::new(&["a", "b"], |call| {
        let extension = call.action == "ChangeMessageVisibilityBatch";
        extension.then(|| partly(call, "r-a", "ReceiptHandleIsInvalid", true))
    });
    let log = LogCapture::of_this_thread();
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 2).await;
    sleep(Duration::from_secs(60)).await;
    settle(&consumer, &deliveries, &Disposition::Ack)
        .await
        .unwrap();
    let deleted = sqs.calls("DeleteMessageBatch");
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].entries(), ["r-b"]);
    let text = log.text();
    assert!(
        text.contains("no longer ours") && text.contains("id-a"),
        "{text}"
    );
}

/// While nobody answers the time passes, and with it the right to settle.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_extended_in_time_is_not_settled() {
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let sqs = FakeSqs::new(&["a", "b"], move |call| {
        let fails = is_away.load(Ordering::Relaxed) && call.action.starts_with("Change");
        fails.then(|| error(500, "InternalError"))
    });
    let log = LogCapture::of_this_thread();
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 1).await;
    sleep(Duration::from_secs(40)).await;
    away.store(false, Ordering::Relaxed);
    settle(&consumer, &deliveries, &Disposition::Ack)
        .await
        .unwrap();
    assert!(sqs.calls("DeleteMessageBatch").is_empty());
    assert!(
        log.text().contains("passed before it could be extended"),
        "{}",
        log.text()
    );
    // Nor is the one handed out that nobody had taken.
    let receive = consumer.receive(10);
    let received = tokio::time::timeout(Duration::from_secs(60), receive).await;
    assert!(received.is_err(), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn a_chosen_visibility_goes_with_every_receive() {
    let sqs = FakeSqs::new(&["a"], |_| None);
    let builder = sqs.connect("q").visibility(Duration::from_secs(90));
    let consumer = builder.await.unwrap();
    consumer
        .start(ConsumeOptions { max_unsettled: 5 })
        .await
        .unwrap();
    take(&consumer, 1).await;
    let received = &sqs.calls("ReceiveMessage")[0].body;
    assert_eq!(received["VisibilityTimeout"], 90);
    assert_eq!(received["MaxNumberOfMessages"], 5);
    assert_eq!(received["WaitTimeSeconds"], 5);
    sleep(Duration::from_secs(60)).await;
    let extension = &sqs.calls("ChangeMessageVisibilityBatch")[0];
    assert_eq!(extension.body["Entries"][0]["VisibilityTimeout"], 90);
}

/// Throttling and failures of the other side pass; the consumer says so once, and goes on.
#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let sqs = FakeSqs::new(&["a"], move |call| {
        let fails = call.action == "ReceiveMessage" && counter.fetch_add(1, Ordering::Relaxed) < 40;
        fails.then(|| error(400, "RequestThrottled"))
    });
    let log = LogCapture::of_this_thread();
    let consumer = sqs.start().await;
    assert_eq!(take(&consumer, 1).await[0].envelope.body, "a");
    let text = log.text();
    assert_eq!(text.matches("cannot receive from SQS").count(), 1, "{text}");
    assert_eq!(text.matches("SQS answers again").count(), 1, "{text}");
    let calls = sqs.calls("ReceiveMessage");
    assert!(
        calls[calls.len() - 1].at > Duration::from_secs(10),
        "it backs off"
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_at_the_start_say_what_to_do() {
    for (action, code, word) in [
        ("GetQueueUrl", "InvalidClientTokenId", "AWS_PROFILE"),
        (
            "GetQueueUrl",
            "QueueDoesNotExist",
            "no such queue in region eu-central-1",
        ),
        (
            "GetQueueAttributes",
            "AccessDenied",
            "sqs:GetQueueAttributes",
        ),
    ] {
        let sqs = FakeSqs::new(&[], move |call| {
            (call.action == action).then(|| error(400, code))
        });
        let failed = match sqs.connect("q").await {
            Ok(consumer) => consumer
                .start(ConsumeOptions { max_unsettled: 5 })
                .await
                .unwrap_err(),
            Err(error) => error,
        };
        assert!(failed.to_string().contains(word), "{failed}");
    }
    let sqs = FakeSqs::new(&[], |call| match call.action.as_str() {
        "GetQueueUrl" if call.body["QueueName"] == "q-dead" => {
            Some(error(400, "QueueDoesNotExist"))
        }
        "CreateQueue" => Some(error(403, "AccessDenied")),
        _ => None,
    });
    let consumer = sqs.connect("q").await.unwrap();
    let failed = consumer
        .start(ConsumeOptions { max_unsettled: 5 })
        .await
        .unwrap_err();
    for part in ["`q-dead`", "sqs:CreateQueue", ".dead_letter_queue(…)"] {
        assert!(failed.to_string().contains(part), "{failed}");
    }
}
