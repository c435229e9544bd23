use std::time::Duration;

use ordered_core::transport::{Disposition, Reason, ReasonKind, Transport, TransportErrorKind};

use crate::support::fake_sqs::{FakeSqs, error, partly, settle, take};

const BODIES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

fn dead() -> Disposition {
    Disposition::DeadLetter(Reason {
        kind: ReasonKind::Malformed,
        text: "why".into(),
    })
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_go_out_in_tens() {
    let sqs = FakeSqs::new(&BODIES, |_| None);
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 12).await;
    settle(&consumer, &deliveries, &Disposition::Ack)
        .await
        .unwrap();
    let sizes: Vec<_> = sqs
        .calls("DeleteMessageBatch")
        .iter()
        .map(|call| call.entries().len())
        .collect();
    assert_eq!(sizes, [10, 2]);
    assert!(sqs.calls("DeleteMessage").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_a_batch_is_deleted_alone() {
    let sqs = FakeSqs::new(&BODIES, |call| {
        (call.action == "DeleteMessageBatch").then(|| partly(call, "r-c", "InternalError", false))
    });
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 12).await;
    settle(&consumer, &deliveries, &Disposition::Ack)
        .await
        .unwrap();
    let alone = sqs.calls("DeleteMessage");
    assert_eq!(alone.len(), 1);
    assert_eq!(alone[0].body["ReceiptHandle"], "r-c");
}

#[tokio::test(start_paused = true)]
async fn what_fails_alone_too_is_said() {
    let sqs = FakeSqs::new(&BODIES, |call| match call.action.as_str() {
        "DeleteMessageBatch" => Some(partly(call, "r-c", "InternalError", false)),
        "DeleteMessage" => Some(error(500, "InternalError")),
        _ => None,
    });
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 12).await;
    let failed = settle(&consumer, &deliveries, &Disposition::Ack)
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), TransportErrorKind::Unavailable);
    assert!(failed.to_string().contains("1 of 12"), "{failed}");
    // Its token is spent: it is delivered again under another.
    settle(&consumer, &deliveries, &Disposition::Ack)
        .await
        .unwrap();
}

/// Both words that SQS has for it, and the one for what is visible again.
#[tokio::test(start_paused = true)]
async fn an_expired_receipt_is_no_longer_ours() {
    for code in [
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "AWS.SimpleQueueService.MessageNotInflight",
    ] {
        for disposition in [
            Disposition::Ack,
            Disposition::Defer(Duration::from_secs(9)),
            dead(),
        ] {
            let sqs = FakeSqs::new(&BODIES, move |call| {
                let batch = call.action.ends_with("Batch");
                batch.then(|| partly(call, "r-c", code, true))
            });
            let consumer = sqs.start().await;
            let deliveries = take(&consumer, 12).await;
            settle(&consumer, &deliveries, &disposition).await.unwrap();
            for alone in ["DeleteMessage", "ChangeMessageVisibility"] {
                assert!(sqs.calls(alone).is_empty(), "{code} {disposition:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn deferring_is_one_call_for_ten_in_whole_seconds() {
    let sqs = FakeSqs::new(&BODIES, |_| None);
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 12).await;
    let delay = Disposition::Defer(Duration::from_millis(1_200));
    settle(&consumer, &deliveries, &delay).await.unwrap();
    let calls = sqs.calls("ChangeMessageVisibilityBatch");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body["Entries"][0]["VisibilityTimeout"], 2);
}

#[tokio::test(start_paused = true)]
async fn an_original_is_deleted_only_after_its_dead_letter_was_sent() {
    let sqs = FakeSqs::new(&BODIES, |call| {
        let refused = call.action == "SendMessage" && call.body["MessageBody"] == "b";
        refused.then(|| error(400, "InvalidMessageContents"))
    });
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 3).await;
    let failed = settle(&consumer, &deliveries, &dead()).await.unwrap_err();
    assert!(
        failed.to_string().contains("InvalidMessageContents"),
        "{failed}"
    );
    let deleted = sqs.calls("DeleteMessageBatch");
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].entries(), ["r-a", "r-c"]);
    let sent = sqs.calls("SendMessage");
    assert!(sent.iter().all(|letter| letter.at <= deleted[0].at));
    assert_eq!(
        sent[0].body["MessageAttributes"]["x-ordered-reason-text"]["StringValue"],
        "why"
    );
}

#[tokio::test(start_paused = true)]
async fn closing_shows_what_is_unsettled() {
    let sqs = FakeSqs::new(&BODIES, |_| None);
    let consumer = sqs.start().await;
    let deliveries = take(&consumer, 5).await;
    settle(&consumer, &deliveries[..2], &Disposition::Ack)
        .await
        .unwrap();
    consumer.close().await.unwrap();
    let shown = sqs.calls("ChangeMessageVisibilityBatch");
    let mut receipts: Vec<_> = shown.iter().flat_map(|call| call.entries()).collect();
    receipts.sort_unstable();
    assert_eq!(receipts[..3], ["r-c", "r-d", "r-e"]);
    assert!(
        shown
            .iter()
            .all(|call| call.body["Entries"][0]["VisibilityTimeout"] == 0)
    );
    assert!(!receipts.contains(&"r-a"));
}
