//! Messages of producers that know nothing of this transport.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use ordered_core::event::Envelope;
use ordered_core::transport::{Fate, Publish, Reason, ReasonKind};

use crate::support::{Queue, numbered, settle, take};

fn properties() -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("retries".into(), AMQPValue::LongInt(3));
    headers.insert("urgent".into(), AMQPValue::Boolean(true));
    headers.insert(
        "nested".into(),
        AMQPValue::FieldTable(FieldTable::default()),
    );
    BasicProperties::default()
        .with_headers(headers)
        .with_content_type("application/json".into())
        .with_message_id("m-1".into())
        .with_timestamp(1_700_000_000)
        .with_expiration("600000".into())
        .with_user_id("guest".into())
}

#[tokio::test]
async fn numbers_and_flags_are_text_and_a_timestamp_has_seconds() {
    let queue = Queue::shared().await;
    let transport = queue.started(10).await;
    let client = queue.client().await;
    client.publish(&queue.name, b"{}", properties()).await;
    let delivery = take(&transport, 1).await.remove(0);
    let mut expected = Envelope::new("{}");
    expected.headers.insert("retries".into(), "3".into());
    expected.headers.insert("urgent".into(), "true".into());
    expected.published_at = Some(1_700_000_000_000);
    assert_eq!(delivery.envelope, expected);
}

#[tokio::test]
async fn copies_keep_the_properties_that_do_not_steer_the_broker() {
    let queue = Queue::shared().await;
    let transport = queue.started(10).await;
    let client = queue.client().await;
    client.publish(&queue.name, b"{}", properties()).await;
    let first = take(&transport, 1).await.remove(0);
    let soon = Fate::Defer(Duration::from_millis(100));
    settle(&transport, &first, soon).await;
    let again = take(&transport, 1).await.remove(0);
    assert!(again.redelivered);
    assert_eq!(again.envelope, first.envelope);
    let reason = Reason {
        kind: ReasonKind::Conflict,
        text: "two of them".into(),
    };
    settle(&transport, &again, Fate::DeadLetter(reason)).await;
    let dead = client.get(&format!("{}.dead", queue.name)).await;
    let (body, properties) = dead.expect("it is there");
    assert_eq!(body, "{}");
    assert_eq!(
        properties.message_id().as_ref().map(|id| id.as_str()),
        Some("m-1")
    );
    let content = properties.content_type().as_ref();
    assert_eq!(content.map(|kind| kind.as_str()), Some("application/json"));
    assert_eq!(properties.timestamp(), &Some(1_700_000_000));
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(
        (properties.expiration(), properties.user_id()),
        (&None, &None)
    );
    let headers = properties.headers().clone().unwrap();
    let header = |name: &str| headers.inner().get(name).cloned();
    assert_eq!(header("retries"), Some(AMQPValue::LongInt(3)));
    assert_eq!(
        header("nested"),
        Some(AMQPValue::FieldTable(FieldTable::default()))
    );
    let text = |text: &str| Some(AMQPValue::LongString(text.into()));
    assert_eq!(header("x-ordered-reason"), text("conflict"));
    assert_eq!(header("x-ordered-reason-text"), text("two of them"));
    assert_eq!(header("x-ordered-queue"), text(&queue.name));
    assert_eq!(header("x-ordered-exchange"), text(""));
    assert_eq!(header("x-death"), None);
}

#[tokio::test]
async fn many_publishers_at_once_keep_their_own_order() {
    let queue = Queue::shared().await;
    let publisher = queue.builder().publisher().await.unwrap();
    let (first, second) = tokio::join!(
        publisher.publish(numbered(3_000)),
        publisher.publish(numbered(3_000)),
    );
    first.and(second).unwrap();
    let transport = queue.started(10_000).await;
    let deliveries = take(&transport, 6_000).await;
    let numbers: Vec<u32> = deliveries
        .iter()
        .map(|delivery| std::str::from_utf8(&delivery.envelope.body).unwrap())
        .map(|body| body.parse().unwrap())
        .collect();
    // Each of the two is a run that counts up, so every number is preceded by the one before it.
    let mut seen = [0; 3_000];
    for number in numbers {
        let number = number as usize;
        assert!(
            number == 0 || seen[number - 1] > seen[number],
            "{number} came too early"
        );
        seen[number] += 1;
    }
}
