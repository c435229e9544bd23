use std::collections::BTreeMap;

use rdkafka::ClientConfig;

use crate::address::Address;

/// The client's own default is 45 seconds: the partitions of a worker that died would rest as long. Brokers allow 6
/// seconds and more.
const SESSION_TIMEOUT: &str = "10000";
/// What a topic takes decides its broker. The client's own limit is a million bytes.
const MAX_MESSAGE_BYTES: &str = "100000000";

/// What holds unless it is set otherwise.
const EVERY_CLIENT: [(&str, &str); 2] = [
    ("client.id", "ordered"),
    // With the client's own ten seconds a broker that was restarted is found late.
    ("reconnect.backoff.max.ms", "2000"),
];
const CONSUMER: [(&str, &str); 4] = [
    ("session.timeout.ms", SESSION_TIMEOUT),
    ("heartbeat.interval.ms", "2000"),
    // A member that joins or leaves moves the partitions that must move, and the others are read on.
    ("partition.assignment.strategy", "cooperative-sticky"),
    // How soon partitions that are added are read.
    ("topic.metadata.refresh.interval.ms", "60000"),
];
const PRODUCER: [(&str, &str); 3] = [
    ("message.max.bytes", MAX_MESSAGE_BYTES),
    // What producers in Java and Python choose for a key.
    ("partitioner", "murmur2_random"),
    ("delivery.timeout.ms", "30000"),
];

/// For a client that asks about topics.
pub(crate) fn client(address: &Address) -> ClientConfig {
    build(address, &[])
}

/// For the member of a group.
pub(crate) fn consumer(address: &Address, group: &str) -> ClientConfig {
    let mut config = build(address, &CONSUMER);
    config
        .set("group.id", group)
        // What is committed is decided here.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A group without offsets reads all that there is: nothing is lost.
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false");
    config
}

/// For one that reads partitions without being the member of a group, but with the offsets of one.
pub(crate) fn reader(address: &Address, group: &str) -> ClientConfig {
    let mut config = consumer(address, group);
    config.set("enable.partition.eof", "true");
    config
}

/// For one that publishes.
pub(crate) fn producer(address: &Address) -> ClientConfig {
    let mut config = build(address, &PRODUCER);
    config
        // Confirmed by all replicas in sync, in order and once, also where a request is repeated.
        .set("enable.idempotence", "true")
        .set("acks", "all");
    config
}

fn build(address: &Address, defaults: &[(&str, &str)]) -> ClientConfig {
    let mut properties: BTreeMap<&str, &str> = BTreeMap::from(EVERY_CLIENT);
    properties.extend(defaults.iter().copied());
    let given = address.properties.iter();
    properties.extend(given.map(|(name, value)| (name.as_str(), value.as_str())));
    let mut config = ClientConfig::new();
    for (name, value) in properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &address.servers);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_goes_before_what_is_usual_and_not_before_what_must_be() {
        let mut address = Address::parse("kafka://b:1?session.timeout.ms=7000").unwrap();
        // The address refuses it; should it get here all the same, it changes nothing.
        let auto = ("enable.auto.commit".to_owned(), "true".to_owned());
        address.properties.extend([auto]);
        let config = consumer(&address, "g");
        assert_eq!(config.get("session.timeout.ms"), Some("7000"));
        assert_eq!(config.get("enable.auto.commit"), Some("false"));
        assert_eq!(config.get("bootstrap.servers"), Some("b:1"));
        assert_eq!(config.get("group.id"), Some("g"));
        assert_eq!(producer(&address).get("enable.idempotence"), Some("true"));
    }
}
