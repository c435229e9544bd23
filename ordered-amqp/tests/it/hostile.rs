//! Messages that a producer should not send, and that must not stop the others.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use ordered_core::event::Envelope;
use ordered_core::transport::{Disposition, Publish, Reason, ReasonKind, TransportErrorKind};

use crate::support::{Queue, settle, take};

fn large_headers(bytes: usize) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("small".into(), AMQPValue::LongString("kept".into()));
    headers.insert(
        "large".into(),
        AMQPValue::LongString("x".repeat(bytes).into()),
    );
    BasicProperties::default().with_headers(headers)
}

#[tokio::test]
async fn a_message_whose_headers_fill_a_frame_is_dead_lettered() {
    let queue = Queue::shared().await;
    let transport = queue.started(10).await;
    let client = queue.client().await;
    // The frame has 131,072 bytes, and the copy gets headers more.
    client
        .publish(&queue.name, b"{}", large_headers(130_000))
        .await;
    let first = take(&transport, 1).await.remove(0);
    let soon = Disposition::Defer(Duration::from_millis(100));
    settle(&transport, &first, soon).await;
    let again = take(&transport, 1).await.remove(0);
    let reason = Reason {
        kind: ReasonKind::Malformed,
        text: "no ".repeat(300),
    };
    let put = settle(&transport, &again, Disposition::DeadLetter(reason));
    tokio::time::timeout(Duration::from_secs(20), put)
        .await
        .expect("it is dead-lettered");
    let dead = client.get(&format!("{}.dead", queue.name)).await;
    let (body, properties) = dead.expect("it is there");
    assert_eq!(body, "{}");
    let headers = properties.headers().clone().unwrap();
    let text = |text: &str| Some(AMQPValue::LongString(text.into()));
    let header = |name: &str| headers.inner().get(name).cloned();
    assert_eq!(header("x-ordered-reason"), text("malformed"));
    assert_eq!(header("small"), text("kept"));
    assert_eq!(header("large"), None);
}

#[tokio::test]
async fn an_event_whose_headers_do_not_fit_a_frame_is_refused_and_others_are_published() {
    let queue = Queue::shared().await;
    let publisher = queue.builder().publisher().await.unwrap();
    let mut large = Envelope::new("large");
    large.headers.insert("large".into(), "x".repeat(140_000));
    let publish = publisher.publish(vec![large]);
    let refused = tokio::time::timeout(Duration::from_secs(20), publish).await;
    let error = refused.expect("it does not wait").unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal, "{error}");
    assert!(error.to_string().contains("headers"), "{error}");
    publisher
        .publish(vec![Envelope::new("small")])
        .await
        .unwrap();
}
