use std::time::Duration;

use super::{Broker, Contestant, Entrant, Keys, Load, Pace, Place};
use crate::contestant::has_parallel_consumer;

const FLOOR: Entrant = entrant("floor", Contestant::Floor);
const PER_MESSAGE: Entrant = entrant("ack each", Contestant::PerMessage);
const BY_HAND: Entrant = entrant("by hand", Contestant::ByHand);
const ORDERED: Entrant = entrant("ordered", Contestant::Ordered);
const BATCH: Entrant = entrant("batch 100", Contestant::OrderedBatch);
const WINDOW: Entrant = entrant("commit window", Contestant::OrderedWindow);
const TROUBLED: Entrant = entrant("1,000 back off", Contestant::Troubled);
const SEQUENCE: Entrant = entrant("sequence", Contestant::Ordered);
const ARRIVAL: Entrant = entrant("arrival", Contestant::OrderedArrival);
const MONOTONIC: Entrant = entrant("monotonic", Contestant::OrderedMonotonic);
const CAUSAL: Entrant = entrant("causal", Contestant::OrderedCausal);
const LAMPORT: Entrant = entrant("lamport", Contestant::OrderedLamport);
const SCRIPT: Entrant = entrant("script", Contestant::Script);
const PARALLEL_CONSUMER: Entrant = entrant("parallel consumer", Contestant::ParallelConsumer);

const fn entrant(label: &'static str, contestant: Contestant) -> Entrant {
    Entrant {
        label,
        contestant,
        processes: 1,
        redis: Place::Everysec,
        partitions: 0,
        earlier: false,
    }
}

fn at(redis: Place, entrant: Entrant) -> Entrant {
    Entrant { redis, ..entrant }
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
        entrants: vec![FLOOR, PER_MESSAGE, BY_HAND, ORDERED],
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

/// The orders of the framework on the same events. Another order is another entrant.
fn orders() -> Load {
    Load {
        name: "orders",
        about: "in order, 1,000 keys, 250 B, in each order; each key has 3 producers, which count for causal and \
                lamport",
        payload_bytes: 250,
        entrants: vec![SEQUENCE, ARRIVAL, MONOTONIC, CAUSAL, LAMPORT],
        compares_orders: true,
        ..base()
    }
}

fn keys() -> Vec<Load> {
    vec![
        Load {
            name: "in-order-always",
            about: "the same, AOF always",
            entrants: vec![
                FLOOR,
                at(Place::Always, BY_HAND),
                at(Place::Always, ORDERED),
            ],
            ..base()
        },
        Load {
            name: "shuffled",
            about: "shuffled by 1,000, 5 % duplicates, 1,000 keys",
            shuffle: 1_000,
            duplicates: 0.05,
            // By hand there is no good answer to an event that is early.
            entrants: vec![FLOOR, PER_MESSAGE, ORDERED],
            ..base()
        },
        Load {
            name: "zipf",
            about: "Zipf(1.0) over 10,000 keys",
            keys: Keys::Zipf(10_000),
            entrants: vec![FLOOR, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "one-key",
            about: "one key, strictly one after the other",
            keys: Keys::Uniform(1),
            pace: Pace::Backlog(8_000.0),
            entrants: vec![FLOOR, SCRIPT, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "one-key-ahead",
            about: "one key, in batches of 100 events, and with a commit window of 100",
            keys: Keys::Uniform(1),
            entrants: vec![FLOOR, WINDOW, BATCH],
            ..base()
        },
        Load {
            name: "many-keys",
            about: "in order, 100,000 keys",
            keys: Keys::Uniform(100_000),
            entrants: vec![FLOOR, BY_HAND, ORDERED],
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
            entrants: vec![FLOOR, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "payload-16k",
            about: "in order, 16 kB",
            payload_bytes: 16_000,
            prefetch: 512,
            pace: Pace::Backlog(4_000.0),
            entrants: vec![FLOOR, BY_HAND, ORDERED],
            ..base()
        },
    ]
}

fn handlers() -> Vec<Load> {
    let times = |processes, label| Entrant {
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
            entrants: vec![FLOOR, ORDERED],
            ..base()
        },
        Load {
            name: "handler-10ms",
            about: "in order, the handler waits 10 ms, 64 at a time",
            handler: Duration::from_millis(10),
            concurrency: 64,
            prefetch: 1_024,
            pace: Pace::Backlog(6_000.0),
            entrants: vec![FLOOR, ORDERED],
            ..base()
        },
        Load {
            name: "backing-off",
            about: "in order, while the events of 1,000 other keys fail again and again",
            entrants: vec![ORDERED, TROUBLED],
            ..base()
        },
        Load {
            name: "processes",
            about: "1, 2 and 4 processes, 10 ms handler, 16 at a time in each",
            handler: Duration::from_millis(10),
            concurrency: 16,
            prefetch: 128,
            pace: Pace::Backlog(3_000.0),
            entrants: vec![
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
            name: "redis-away",
            about: "in order, Redis next door and 0.5 ms away",
            entrants: vec![
                ORDERED,
                Entrant {
                    label: "ordered, away",
                    ..at(Place::Away, ORDERED)
                },
            ],
            ..base()
        },
        Load {
            name: "latency",
            about: "at half of what the framework can take, from the intended send time",
            pace: Pace::Share(0.5),
            asks_latency: true,
            entrants: vec![FLOOR, PER_MESSAGE, BY_HAND, ORDERED],
            ..base()
        },
        Load {
            name: "worker-memory",
            about: "many events at half of what the framework can take: the memory of the worker",
            pace: Pace::Share(0.5),
            length: 10.0,
            // Else the memory of Redis would be what ends it.
            dedup_ttl: Duration::from_secs(10),
            entrants: vec![ORDERED],
            ..base()
        },
    ]
}

/// Several processes on one queue, and on partitions of it.
fn partitions() -> Load {
    let several = |processes, partitions, label| Entrant {
        label,
        processes,
        partitions,
        ..ORDERED
    };
    Load {
        name: "partitions",
        about: "2 and 4 processes that share a queue, or 8 partitions of it, 1,000 keys, 150 B, no-op handler",
        pace: Pace::Backlog(12_000.0),
        entrants: vec![
            several(2, 0, "shared ×2"),
            several(2, 8, "partitions ×2"),
            several(4, 0, "shared ×4"),
            several(4, 8, "partitions ×4"),
        ],
        ..base()
    }
}

fn over_kafka() -> Vec<Load> {
    let mut entrants = vec![FLOOR, BY_HAND, ORDERED];
    if has_parallel_consumer() {
        entrants.push(PARALLEL_CONSUMER);
    }
    let base = || Load {
        broker: Broker::Kafka,
        pace: Pace::Backlog(60_000.0),
        entrants: entrants.clone(),
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
            entrants: vec![FLOOR, ORDERED],
            ..base()
        },
    ]
}
