use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ordered_core::event::Envelope;
use ordered_core::transport::{Publish, TransportErrorKind};

use crate::canned::{Canned, error, partly};

fn numbered(count: usize) -> Vec<Envelope> {
    (0..count).map(|n| Envelope::new(n.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_leaves_undone_is_sent_again_and_nothing_else() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let canned = Canned::new(&[], move |call| {
        let sends = call.action == "SendMessageBatch" && call.entries().contains(&"3");
        let fails = sends && counter.fetch_add(1, Ordering::Relaxed) < 2;
        fails.then(|| partly(call, "3", "InternalError", false))
    });
    let producer = canned.connect("q").publisher().await.unwrap();
    producer.publish(numbered(12)).await.unwrap();
    let calls = canned.calls("SendMessageBatch");
    let mut sizes: Vec<_> = calls.iter().map(|call| call.entries().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 10]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_sqs_refuses_is_an_error_that_will_not_pass() {
    let canned = Canned::new(&[], |call| {
        (call.action == "SendMessageBatch")
            .then(|| partly(call, "3", "InvalidMessageContents", true))
    });
    let producer = canned.connect("q").publisher().await.unwrap();
    let failed = producer.publish(numbered(5)).await.unwrap_err();
    assert_eq!(failed.kind(), TransportErrorKind::Fatal);
    assert!(
        failed.to_string().contains("InvalidMessageContents"),
        "{failed}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_never_takes_all_is_away() {
    let canned = Canned::new(&[], |call| match call.action.as_str() {
        "SendMessageBatch" => Some(error(500, "InternalError")),
        _ => None,
    });
    let producer = canned.connect("q").publisher().await.unwrap();
    let failed = producer.publish(numbered(1)).await.unwrap_err();
    assert_eq!(failed.kind(), TransportErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn large_events_get_calls_of_their_own() {
    let canned = Canned::new(&[], |_| None);
    let producer = canned.connect("q").publisher().await.unwrap();
    let large = || Envelope::new(vec![b'x'; 200_000]);
    producer
        .publish(vec![large(), large(), large()])
        .await
        .unwrap();
    assert_eq!(canned.calls("SendMessageBatch").len(), 3);
    let too_large = Envelope::new(vec![b'x'; (1 << 20) + 1]);
    let failed = producer.publish(vec![too_large]).await.unwrap_err();
    assert!(failed.to_string().contains("1048577 bytes"), "{failed}");
}
