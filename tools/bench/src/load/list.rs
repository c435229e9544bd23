use std::time::Duration;

use super::{Broker, Keys, Load, Pace, RedisTarget, Subject, Variant};
use crate::subject::has_parallel_consumer;

const FLOOR: Variant = variant("floor", Subject::Floor);
const PER_MESSAGE: Variant = variant("ack each", Subject::PerMessage);
const BY_HAND: Variant = variant("by hand", Subject::ByHand);
const ORDERED: Variant = variant("ordered", Subject::Ordered);
const BATCH: Variant = variant("batch 100", Subject::OrderedBatch);
const WINDOW: Variant = variant("commit window", Subject::OrderedWindow);
const BACKING_OFF: Variant = variant("1,000 back off", Subject::OrderedBackingOff);
const SEQUENCE: Variant = variant("sequence", Subject::Ordered);
const ARRIVAL: Variant = variant("arrival", Subject::OrderedArrival);
const MONOTONIC: Variant = variant("monotonic", Subject::OrderedMonotonic);
const CAUSAL: Variant = variant("causal", Subject::OrderedCausal);
const LAMPORT: Variant = variant("lamport", Subject::OrderedLamport);
const SCRIPT: Variant = variant("script", Subject::Script);
const PARALLEL_CONSUMER: Variant = variant("parallel consumer", Subject::ParallelConsumer);

const fn variant(label: &'static str, subject: Subject) -> Variant {
    Variant {
        label,
        subject,
        processes: 1,
        redis: RedisTarget::Everysec,
        partitions: 0,
        earlier: false,
    }
}

fn at(redis: RedisTarget, variant: Variant) -> Variant {
    Variant { redis, ..variant }
}

/// In order, 1,000 keys, short events, a handler that does nothing; the other loads change some of it.
fn base() -> Load {
    Load {
        name: "in-order",
        about: "in order, 1,000 keys, 150 B, no-op handler, AOF everysec",
        keys: Keys::Uniform(1_000),
        shuffle: 0,
        duplicates: 0.0,
        payload_bytes: 150,
        handler: Duration::ZERO,
        concurrency: 256,
        prefetch: 2_048,
        pace: Pace::Backlog(25_000.0),
        asks_latency: false,
        length: 1.0,
        dedup_ttl: Duration::from_secs(24 * 60 * 60),
        variants: vec![FLOOR, PER_MESSAGE, BY_HAND, ORDERED],
        broker: Broker::Rabbit,
        compares_orders: false,
    }
}

/// Every load, in the order of the table.
pub(crate) fn all() -> Vec<Load> {
    let mut loads = vec![base()];
    loads.extend(keys());
    loads.push(orders());
    loads.extend(payloads());
    loads.extend(handlers());
    loads.extend(distances());
    loads.push(partitions());
    loads.extend(over_kafka());
    loads
}

/// The loads with these names, or all.
pub(crate) fn chosen(names: &[String]) -> Vec<Load> {
    let mut loads = all();
    loads.retain(|load| names.is_empty() || names.iter().any(|name| name == load.name));
    loads
}

/// The orders of the framework on the same events. Another order is another variant.
fn orders() -> Load {
    Load {
        name: "orders",
        about: "in order, 1,000 keys, 250 B, in each order; each key has 3 producers, which count for causal and \
                lamport",
        payload_bytes: 250,
        variants: vec![SEQUENCE, ARRIVAL, MONOTONIC, CAUSAL, LAMPORT],
        compares_orders: true,
        ..base()
    }
}

fn keys() -> Vec<Load> {
    vec![
        Load {
            name: "in-order-always",
            about: "the same, AOF always",
            variants: vec![
                FLOOR,
                at(RedisTarget::Always, BY_HAND),
                at(RedisTarget::Always, ORDERED),
            ],
            ..base()
        },
        Load {
            name: "shuffled",
            about: "shuffled by 1,000, 5 % duplicates, 1,000 keys",
            shuffle: 1_000,
            duplicates: 0.05,
            // By hand there is no good answer to an event that is early.
            variants: vec![FLOOR, PER_MESSAGE, ORDERED],
            ..base()
        },
        Load {
            name: "zipf",
            about: "Zipf(1.0) over 10,000 keys",
            keys: Keys::Zipf(10_000),
            variants: vec![FLOOR, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "one-key",
            about: "one key, strictly one after the other",
            keys: Keys::Uniform(1),
            pace: Pace::Backlog(8_000.0),
            variants: vec![FLOOR, SCRIPT, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "one-key-ahead",
            about: "one key, in batches of 100 events, and with a commit window of 100",
            keys: Keys::Uniform(1),
            variants: vec![FLOOR, WINDOW, BATCH],
            ..base()
        },
        Load {
            name: "many-keys",
            about: "in order, 100,000 keys",
            keys: Keys::Uniform(100_000),
            variants: vec![FLOOR, BY_HAND, ORDERED],
            ..base()
        },
    ]
}

fn payloads() -> Vec<Load> {
    vec![
        Load {
            name: "payload-1k",
            about: "in order, 1 kB",
            payload_bytes: 1_000,
            pace: Pace::Backlog(20_000.0),
            variants: vec![FLOOR, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "payload-16k",
            about: "in order, 16 kB",
            payload_bytes: 16_000,
            prefetch: 512,
            pace: Pace::Backlog(4_000.0),
            variants: vec![FLOOR, BY_HAND, ORDERED],
            ..base()
        },
    ]
}

fn handlers() -> Vec<Load> {
    let times = |processes, label| Variant {
        label,
        processes,
        ..ORDERED
    };
    vec![
        Load {
            name: "handler-1ms",
            about: "in order, the handler waits 1 ms, 16 at a time",
            handler: Duration::from_millis(1),
            concurrency: 16,
            prefetch: 512,
            pace: Pace::Backlog(8_000.0),
            variants: vec![FLOOR, ORDERED],
            ..base()
        },
        Load {
            name: "handler-10ms",
            about: "in order, the handler waits 10 ms, 64 at a time",
            handler: Duration::from_millis(10),
            concurrency: 64,
            prefetch: 1_024,
            pace: Pace::Backlog(6_000.0),
            variants: vec![FLOOR, ORDERED],
            ..base()
        },
        Load {
            name: "backing-off",
            about: "in order, while the events of 1,000 other keys fail again and again",
            variants: vec![ORDERED, BACKING_OFF],
            ..base()
        },
        Load {
            name: "processes",
            about: "1, 2 and 4 processes, 10 ms handler, 16 at a time in each",
            handler: Duration::from_millis(10),
            concurrency: 16,
            prefetch: 128,
            pace: Pace::Backlog(3_000.0),
            variants: vec![
                times(1, "ordered"),
                times(2, "ordered ×2"),
                times(4, "ordered ×4"),
            ],
            ..base()
        },
    ]
}

fn distances() -> Vec<Load> {
    vec![
        Load {
            name: "redis-remote",
            about: "in order, Redis next door and 0.5 ms away",
            variants: vec![
                ORDERED,
                Variant {
                    label: "ordered, remote",
                    ..at(RedisTarget::Remote, ORDERED)
                },
            ],
            ..base()
        },
        Load {
            name: "latency",
            about: "at half of what the framework can take, from the intended send time",
            pace: Pace::Share(0.5),
            asks_latency: true,
            variants: vec![FLOOR, PER_MESSAGE, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "worker-memory",
            about: "many events at half of what the framework can take: the memory of the worker",
            pace: Pace::Share(0.5),
            length: 10.0,
            // Else the memory of Redis would be what ends it.
            dedup_ttl: Duration::from_secs(10),
            variants: vec![ORDERED],
            ..base()
        },
    ]
}

/// Several processes on one queue, and on partitions of it.
fn partitions() -> Load {
    let several = |processes, partitions, label| Variant {
        label,
        processes,
        partitions,
        ..ORDERED
    };
    Load {
        name: "partitions",
        about: "2 and 4 processes that share a queue, or 8 partitions of it, 1,000 keys, 150 B, no-op handler",
        pace: Pace::Backlog(12_000.0),
        variants: vec![
            several(2, 0, "shared ×2"),
            several(2, 8, "partitions ×2"),
            several(4, 0, "shared ×4"),
            several(4, 8, "partitions ×4"),
        ],
        ..base()
    }
}

fn over_kafka() -> Vec<Load> {
    let mut variants = vec![FLOOR, BY_HAND, ORDERED];
    if has_parallel_consumer() {
        variants.push(PARALLEL_CONSUMER);
    }
    let base = || Load {
        broker: Broker::Kafka,
        pace: Pace::Backlog(60_000.0),
        variants: variants.clone(),
        ..base()
    };
    vec![
        Load {
            name: "kafka",
            about: "in order over Kafka, 8 partitions, 1,000 keys, 150 B, no-op handler",
            ..base()
        },
        Load {
            name: "kafka-shuffled",
            about: "the same, shuffled by 1,000, 5 % duplicates",
            shuffle: 1_000,
            duplicates: 0.05,
            variants: vec![FLOOR, ORDERED],
            ..base()
        },
    ]
}
