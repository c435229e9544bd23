use ordered_core::event::Envelope;
use ordered_core::transport::{Disposition, Reason, ReasonKind, Settlement, Transport};
use ordered_testkit::eventually;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;

use crate::support::{Consumer, Topic, topic::keyed};

fn dead() -> Disposition {
    Disposition::DeadLetter(Reason {
        kind: ReasonKind::Conflict,
        text: "seq 1 is of another".into(),
    })
}

/// Key and headers that are no text, a header twice, and no value at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_the_record_as_it_was() {
    let topic = Topic::shared(1).await;
    let mut config = ClientConfig::new();
    config.set(
        "bootstrap.servers",
        topic.url.trim_start_matches("kafka://"),
    );
    let producer: FutureProducer = config.create().unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "blob",
            value: Some(&[0xff_u8, 0][..]),
        })
        .insert(Header {
            key: "twice",
            value: Some("one"),
        })
        .insert(Header {
            key: "twice",
            value: Some("two"),
        })
        .insert(Header::<&str> {
            key: "null",
            value: None,
        });
    let record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic.name)
        .key(&[0xfe, 0x01][..])
        .headers(headers.clone())
        .timestamp(1_700_000_000_123);
    producer.send(record, Timeout::Never).await.unwrap();

    let consumer = Consumer::start(topic.connect(), 10).await;
    let delivery = consumer.take(1).await.remove(0);
    assert!(delivery.envelope.body.is_empty());
    assert_eq!(delivery.envelope.headers["twice"], "two");
    assert_eq!(
        delivery.envelope.headers["kafka.timestamp"],
        "1700000000123"
    );
    consumer.settle(delivery.token, dead()).await;
    let letter = topic.read(&topic.dead_letter_topic()).remove(0);
    assert_eq!(letter.payload(), None);
    assert_eq!(letter.key(), Some(&[0xfe, 0x01][..]));
    let said = letter.headers().unwrap();
    let said: Vec<_> = said
        .iter()
        .map(|header| (header.key, header.value))
        .collect();
    let expected: Vec<_> = headers
        .iter()
        .map(|header| (header.key, header.value))
        .collect();
    assert_eq!(said[..4], expected);
    let of_place = [
        ("x-ordered-partition", "0"),
        ("x-ordered-offset", "0"),
        ("x-ordered-timestamp", "1700000000123"),
    ];
    for (name, value) in of_place {
        assert!(
            said.contains(&(name, Some(value.as_bytes()))),
            "{name}: {said:?}"
        );
    }
    // Its own time is that of its writing: retention counts from it.
    assert!(letter.timestamp().to_millis().unwrap() > 1_700_000_000_123);
}

/// When `settle` returns, the letter is there, and only then its offset counts as settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_dead_lettered_comes_again() {
    let topic = Topic::shared(1).await;
    topic.publish([keyed("a", "one"), keyed("a", "two")]).await;
    let never = topic.connect().create_dead_letter_topic(false);
    let consumer = Consumer::start(never, 10).await;
    let deliveries = consumer.take(2).await;
    consumer.ack(&deliveries[1..]).await;
    let settlement = Settlement {
        token: deliveries[0].token,
        disposition: dead(),
    };
    let error = consumer.0.settle(vec![settlement]).await.unwrap_err();
    assert!(error.to_string().contains("create it"), "{error}");
    let again = consumer.take(1).await.remove(0);
    assert_eq!(again.envelope, deliveries[0].envelope);
    assert_eq!(topic.committed_in_all(&topic.name), 0);

    // Somebody has made the topic.
    let other = Consumer::start(topic.connect().group("other"), 10).await;
    let of_other = other.take(2).await;
    other.settle(of_other[0].token, dead()).await;
    consumer.settle(again.token, dead()).await;
    eventually("both are settled", async || {
        topic.committed_in_all(&topic.name) == 2
    })
    .await;
    assert_eq!(topic.dead_letters().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_as_large_as_its_event_fits() {
    let topic = Topic::shared(1).await;
    topic.publish([Envelope::new(vec![b'x'; 3_900_000])]).await;
    let consumer = Consumer::start(topic.connect(), 10).await;
    let delivery = consumer.take(1).await.remove(0);
    consumer.settle(delivery.token, dead()).await;
    assert_eq!(topic.dead_letters()[0].envelope.body.len(), 3_900_000);
}
