//! How far a group of Kafka is.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use crate::Error;

const ANSWER: Duration = Duration::from_secs(30);

/// How many records of the topic are behind what the group of its name has committed.
pub(super) async fn lag(address: String, topic: String) -> Result<u32, Error> {
    let asked = spawn_blocking(move || ask(&address, &topic)).await?;
    Ok(u32::try_from(asked?)?)
}

fn ask(address: &str, topic: &str) -> KafkaResult<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", topic)
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let found = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions());
    let mut list = TopicPartitionList::new();
    for partition in found {
        list.add_partition(topic, partition.id());
    }
    let mut lag = 0;
    for element in consumer.committed_offsets(list, ANSWER)?.elements() {
        let (low, high) = consumer.fetch_watermarks(topic, element.partition(), ANSWER)?;
        lag += match element.offset() {
            Offset::Offset(committed) => high - committed,
            _ => high - low,
        };
    }
    Ok(lag)
}
