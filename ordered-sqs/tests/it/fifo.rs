use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::transport::{
    ConsumeOptions, Delivery, Disposition, Publish, Settlement, Transport, TransportErrorKind,
};
use ordered_sqs::{Sqs, names};
use tokio::time::timeout;

use crate::support::queue::Queue;

const TIMEOUT: Duration = Duration::from_secs(60);

async fn started(queue: &Queue, max_unsettled: usize) -> Sqs {
    let consumer = queue.connect().await.unwrap();
    consumer
        .start(ConsumeOptions { max_unsettled })
        .await
        .unwrap();
    consumer
}

async fn take(consumer: &Sqs, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let received = timeout(TIMEOUT, consumer.receive(count - taken.len())).await;
        taken.extend(received.expect("in time").unwrap());
    }
    taken
}

async fn settle(consumer: &Sqs, delivery: &Delivery, disposition: Disposition) {
    let token = delivery.token;
    consumer
        .settle(vec![Settlement { token, disposition }])
        .await
        .unwrap();
}

fn bodies(deliveries: &[Delivery]) -> Vec<&[u8]> {
    deliveries
        .iter()
        .map(|delivery| &delivery.envelope.body[..])
        .collect()
}

fn of_group(group: &str, bodies: impl IntoIterator<Item = u32>) -> Vec<Envelope> {
    let header = || (names::MESSAGE_GROUP_ID.to_owned(), group.to_owned());
    let envelopes = bodies.into_iter().map(|body| Envelope {
        headers: [header()].into(),
        ..Envelope::new(body.to_string())
    });
    envelopes.collect()
}

#[tokio::test]
async fn a_group_comes_in_order_with_its_fields_as_headers() {
    let queue = Queue::fifo("10").await;
    queue.publish(of_group("order-1", 0..25)).await;
    let consumer = started(&queue, 100).await;
    for batch in 0..3 {
        let count = if batch == 2 { 5 } else { 10 };
        let deliveries = take(&consumer, count).await;
        let expected: Vec<_> = (batch * 10..).take(count).map(|n| n.to_string()).collect();
        let expected: Vec<_> = expected.iter().map(|body| body.as_bytes()).collect();
        assert_eq!(bodies(&deliveries), expected);
        for delivery in &deliveries {
            let headers = &delivery.envelope.headers;
            assert_eq!(headers[names::MESSAGE_GROUP_ID], "order-1");
            assert_eq!(headers[names::MESSAGE_DEDUPLICATION_ID].len(), 32);
            assert!(headers.contains_key(names::SEQUENCE_NUMBER));
            settle(&consumer, delivery, Disposition::Ack).await;
        }
    }
}

/// What waits in this consumer behind a deferred event of the group does not overtake it; other groups do.
#[tokio::test]
async fn what_is_deferred_is_not_overtaken_by_its_group() {
    let queue = Queue::fifo("20").await;
    let mut all = of_group("a", 0..4);
    all.extend(of_group("b", 10..12));
    queue.publish(all).await;
    let consumer = started(&queue, 100).await;
    let first = take(&consumer, 1).await.remove(0);
    assert_eq!(first.envelope.body, "0");
    settle(
        &consumer,
        &first,
        Disposition::Defer(Duration::from_secs(1)),
    )
    .await;
    let mut rest = Vec::new();
    while rest.len() < 6 {
        for delivery in take(&consumer, 1).await {
            settle(&consumer, &delivery, Disposition::Ack).await;
            rest.push(delivery);
        }
    }
    let bodies = bodies(&rest);
    let (a, b): (Vec<_>, Vec<_>) = bodies.into_iter().partition(|body| body.len() == 1);
    assert_eq!(a, [b"0", b"1", b"2", b"3"]);
    assert_eq!(b, [b"10", b"11"]);
    consumer.close().await.unwrap();
    assert_eq!(queue.backlog().await, 0);
}

#[tokio::test]
async fn the_group_is_taken_from_the_json_where_it_is_said() {
    let queue = Queue::fifo("10").await;
    let producer = queue
        .connect()
        .message_group("order_id")
        .message_deduplication("event_id");
    let producer = producer.publisher().await.unwrap();
    let envelope = || Envelope::new(r#"{"order_id":"o-1","seq":1,"event_id":"e-1"}"#);
    producer
        .publish(vec![envelope(), envelope()])
        .await
        .unwrap();
    producer.publish(vec![envelope()]).await.unwrap();
    let consumer = started(&queue, 10).await;
    let delivery = take(&consumer, 1).await.remove(0);
    let headers = &delivery.envelope.headers;
    assert_eq!(headers[names::MESSAGE_GROUP_ID], "o-1");
    assert_eq!(headers[names::MESSAGE_DEDUPLICATION_ID], "e-1");
    assert_eq!(queue.backlog().await, 1, "the queue knows the others again");
}

#[tokio::test]
async fn an_event_without_a_group_is_refused() {
    let queue = Queue::fifo("10").await;
    let producer = queue.connect().publisher().await.unwrap();
    let error = producer
        .publish(vec![Envelope::new("x")])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    assert!(
        error.to_string().contains("message_group(\"order_id\")"),
        "{error}"
    );
}
