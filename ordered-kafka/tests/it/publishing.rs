use std::collections::BTreeMap;

use ordered_core::event::Envelope;
use ordered_core::transport::{Publish, TransportErrorKind};
use rdkafka::Message;

use crate::support::{Consumer, Topic, consumer::partition, topic::keyed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_one_key_are_in_one_partition_in_their_order() {
    let topic = Topic::shared(4).await;
    let publisher = topic.connect().key("order_id").publisher().await.unwrap();
    let event = |n: usize| Envelope::new(format!(r#"{{"order_id":"o-{}","n":{n}}}"#, n % 20));
    publisher
        .publish((0..2_000).map(event).collect())
        .await
        .unwrap();
    let mut by_key: BTreeMap<Vec<u8>, (i32, Vec<i64>)> = BTreeMap::new();
    for message in topic.read(&topic.name) {
        let body: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        let key = message.key().unwrap().to_vec();
        assert_eq!(key, body["order_id"].as_str().unwrap().as_bytes());
        let (partition, numbers) = by_key
            .entry(key)
            .or_insert((message.partition(), Vec::new()));
        assert_eq!(*partition, message.partition());
        numbers.push(body["n"].as_i64().unwrap());
    }
    assert_eq!(by_key.len(), 20);
    assert!(
        by_key
            .values()
            .all(|(_, numbers)| numbers.is_sorted() && numbers.len() == 100)
    );
    let used: std::collections::BTreeSet<i32> =
        by_key.values().map(|(partition, _)| *partition).collect();
    assert!(used.len() > 1, "{used:?}");
}

/// Java's default, which the clients of other languages can be told to use: murmur2 of the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_where_producers_in_java_send_it() {
    let topic = Topic::shared(12).await;
    topic
        .publish([
            keyed("order-1", "x"),
            keyed("order-2", "x"),
            keyed("order-3", "x"),
        ])
        .await;
    let read = topic.read(&topic.name);
    let placed: BTreeMap<&[u8], i32> = read
        .iter()
        .map(|message| (message.key().unwrap(), message.partition()))
        .collect();
    let expected =
        ["order-1", "order-2", "order-3"].map(|key| (key.as_bytes(), murmur2(key.as_bytes()) % 12));
    assert_eq!(placed, BTreeMap::from(expected));
}

/// `org.apache.kafka.common.utils.Utils.murmur2`, made positive.
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c_u32 ^ u32::try_from(data.len()).unwrap();
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().unwrap()).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * place);
        }
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    i32::try_from((h ^ (h >> 15)) & 0x7fff_ffff).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_is_refused_with_the_setting() {
    let topic = Topic::with(1, &[("max.message.bytes", "10000")]).await;
    let publisher = topic.publisher().await;
    let large = Envelope::new(vec![b'x'; 20_000]);
    let error = publisher.publish(vec![large]).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    assert!(error.to_string().contains("max.message.bytes"), "{error}");
    publisher
        .publish(vec![Envelope::new("small")])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_is_named() {
    let topic = Topic::shared(1).await;
    let missing = topic.connect().topic("no-such-topic").publisher().await;
    let error = missing.unwrap_err().to_string();
    assert!(
        error.contains("there is no topic `no-such-topic`"),
        "{error}"
    );
}

/// What is read says where it lay; published again, it lies elsewhere and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_can_be_published_again() {
    let topic = Topic::shared(1).await;
    topic.publish([keyed("a", "one")]).await;
    let consumer = Consumer::start(topic.connect(), 10).await;
    let first = consumer.take(1).await.remove(0);
    topic.publish([first.envelope.clone()]).await;
    let again = consumer.take(1).await.remove(0);
    assert_eq!(partition(&again), 0);
    assert_eq!(again.envelope.headers["kafka.offset"], "1");
    assert_eq!(again.envelope.headers["kafka.key"], "a");
    assert_eq!(again.envelope.published_at, first.envelope.published_at);
    assert_eq!(
        topic.read(&topic.name)[1]
            .headers()
            .map_or(0, rdkafka::message::Headers::count),
        0
    );
}
