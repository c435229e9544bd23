use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ordered_core::event::{Envelope, EventId, Key};
use ordered_core::publish::{Outgoing, Publisher};
use ordered_core::transport::{Publish, TransportErrorKind};
use serde_json::Value;

use crate::support::fake_sqs::{FakeSqs, error, partly};

fn numbered(count: usize) -> Vec<Envelope> {
    (0..count).map(|n| Envelope::new(n.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_leaves_undone_is_sent_again_and_nothing_else() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let sqs = FakeSqs::new(&[], move |call| {
        let sends = call.action == "SendMessageBatch" && call.entries().contains(&"3");
        let fails = sends && counter.fetch_add(1, Ordering::Relaxed) < 2;
        fails.then(|| partly(call, "3", "InternalError", false))
    });
    let producer = sqs.connect("q").publisher().await.unwrap();
    let publisher = Publisher::builder(producer).build().unwrap();
    let mut receipts = Vec::new();
    for envelope in numbered(12) {
        receipts.push(publisher.enqueue(envelope).await.unwrap());
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let calls = sqs.calls("SendMessageBatch");
    let mut sizes: Vec<_> = calls.iter().map(|call| call.entries().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 10]);
}

#[tokio::test(start_paused = true)]
async fn each_event_of_a_batch_has_an_outcome_of_its_own() {
    let sqs = FakeSqs::new(&[], |call| {
        if call.action != "SendMessageBatch" {
            return None;
        }
        let (status, mut body) = partly(call, "1", "RequestThrottled", true);
        let (_, other) = partly(call, "3", "InvalidMessageContents", true);
        let is_third = |entry: &Value| other["Failed"][0]["Id"] == entry["Id"];
        let done = body["Successful"].as_array_mut().unwrap();
        done.retain(|entry| !is_third(entry));
        let refused = other["Failed"][0].clone();
        body["Failed"].as_array_mut().unwrap().push(refused);
        Some((status, body))
    });
    let producer = sqs.connect("q").publisher().await.unwrap();
    let events: Vec<Outgoing> = numbered(5).into_iter().map(Outgoing::from).collect();
    let outcomes = producer.send(&events).await;
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().err().map(|error| error.kind()))
        .collect();
    let (busy, fatal) = (
        Some(TransportErrorKind::Busy),
        Some(TransportErrorKind::Fatal),
    );
    assert_eq!(kinds, [None, busy, None, fatal, None]);
}

/// Of a group of which one event was not taken nothing more is sent in later calls.
#[tokio::test(start_paused = true)]
async fn a_group_stops_at_an_event_that_was_not_taken() {
    let sqs = FakeSqs::new(&[], |call| {
        (call.action == "SendMessageBatch").then(|| partly(call, "a-3", "InternalError", false))
    });
    let producer = sqs.connect("q.fifo").publisher().await.unwrap();
    let event = |number: usize| {
        let group = if number.is_multiple_of(2) { "b" } else { "a" };
        let body = Envelope::new(format!("{group}-{number}"));
        Outgoing::new(Key::new(group).unwrap(), body)
    };
    let events: Vec<Outgoing> = (0..24).map(event).collect();
    let outcomes = producer.send(&events).await;
    let sent = sqs.calls("SendMessageBatch");
    let sizes: Vec<_> = sent.iter().map(|call| call.entries().len()).collect();
    assert_eq!(sizes, [10, 5, 2]);
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(taken, 9 + 7);
}

#[tokio::test(start_paused = true)]
async fn key_and_id_are_group_and_deduplication_id() {
    let sqs = FakeSqs::new(&[], |_| None);
    let producer = sqs.connect("q.fifo").publisher().await.unwrap();
    let event = |key: &str, id: &str| {
        let event = Outgoing::new(Key::new(key).unwrap(), Envelope::new("x"));
        event.with_id(EventId::new(id).unwrap())
    };
    let events = [event("order-7", "id-1"), event("order 8", "id-2")];
    producer.send(&events).await;
    let call = sqs.calls("SendMessageBatch").remove(0);
    let entry = |number: usize, name: &str| {
        call.body["Entries"][number][name]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(entry(0, "MessageGroupId"), "order-7");
    assert_eq!(entry(0, "MessageDeduplicationId"), "id-1");
    assert_eq!(
        entry(1, "MessageGroupId").len(),
        32,
        "SQS takes no spaces there"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_sqs_refuses_is_an_error_that_will_not_pass() {
    let sqs = FakeSqs::new(&[], |call| {
        (call.action == "SendMessageBatch")
            .then(|| partly(call, "3", "InvalidMessageContents", true))
    });
    let producer = sqs.connect("q").publisher().await.unwrap();
    let failed = producer.publish(numbered(5)).await.unwrap_err();
    assert_eq!(failed.kind(), TransportErrorKind::Fatal);
    assert!(
        failed.to_string().contains("InvalidMessageContents"),
        "{failed}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_never_takes_all_is_away() {
    let sqs = FakeSqs::new(&[], |call| match call.action.as_str() {
        "SendMessageBatch" => Some(error(500, "InternalError")),
        _ => None,
    });
    let producer = sqs.connect("q").publisher().await.unwrap();
    let failed = producer.publish(numbered(1)).await.unwrap_err();
    assert_eq!(failed.kind(), TransportErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn large_events_get_calls_of_their_own() {
    let sqs = FakeSqs::new(&[], |_| None);
    let producer = sqs.connect("q").publisher().await.unwrap();
    let large = || Envelope::new(vec![b'x'; 200_000]);
    producer
        .publish(vec![large(), large(), large()])
        .await
        .unwrap();
    assert_eq!(sqs.calls("SendMessageBatch").len(), 3);
    let too_large = Envelope::new(vec![b'x'; (1 << 20) + 1]);
    let failed = producer.publish(vec![too_large]).await.unwrap_err();
    assert!(failed.to_string().contains("1048577 bytes"), "{failed}");
}
