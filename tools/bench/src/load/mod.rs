//! What is measured: events of some keys in some order, a handler, and who takes part.

mod list;
mod plan;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use list::{all, chosen};
pub(crate) use plan::{Placed, failing_events, plan};

#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: Keys,
    /// By how many places an event may be moved.
    pub(crate) shuffle: usize,
    /// The share of events that are in the queue twice.
    pub(crate) duplicates: f64,
    pub(crate) payload_bytes: usize,
    /// How long the handler waits.
    pub(crate) handler: Duration,
    /// How many handlers may run at a time, in each process.
    pub(crate) concurrency: usize,
    /// How many deliveries may be unsettled, in each process.
    pub(crate) prefetch: usize,
    pub(crate) pace: Pace,
    /// Whether subjects note how late each event is done; a list that grows with the events.
    pub(crate) asks_latency: bool,
    /// How many times as long as others a trial is.
    pub(crate) length: f64,
    /// How long a committed event is remembered.
    pub(crate) dedup_ttl: Duration,
    pub(crate) variants: Vec<Variant>,
    pub(crate) broker: Broker,
    /// The events have a stamp of three producers, and how large the states of their keys are is looked up.
    pub(crate) compares_orders: bool,
}

/// Where the events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broker {
    Rabbit,
    /// A topic of eight partitions, the key of an event being that of its record.
    Kafka,
}

/// How the keys are chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys {
    Uniform(u32),
    /// The n-th key comes 1/n times as often as the first.
    Zipf(u32),
}

/// When the events come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// All are in the queue at the start. About how many a second the fastest takes, for the length of a trial.
    Backlog(f64),
    /// As many a second as this share of what the framework can take.
    Share(f64),
}

/// One that is measured in a load.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variant {
    pub(crate) label: &'static str,
    pub(crate) subject: Subject,
    pub(crate) processes: usize,
    pub(crate) redis: RedisTarget,
    /// Over how many queues of RabbitMQ the keys are spread; 0 is one queue that all processes share.
    pub(crate) partitions: u16,
    /// It is the framework as an earlier build of this program has it.
    pub(crate) earlier: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Subject {
    Floor,
    PerMessage,
    ByHand,
    Ordered,
    /// With a handler that takes a hundred events together.
    OrderedBatch,
    /// With a commit window.
    OrderedWindow,
    /// With `order = "arrival"`.
    OrderedArrival,
    /// With `order = "monotonic"`.
    OrderedMonotonic,
    /// With `order = "causal"`.
    OrderedCausal,
    /// With `order = "lamport"`.
    OrderedLamport,
    /// The same, while the first events of [`FAILING_KEYS`] other keys fail again and again.
    OrderedBackingOff,
    /// No broker: one script call after the other.
    Script,
    /// Over Kafka, in Java.
    ParallelConsumer,
}

/// How many keys back off behind what is measured, and from which number on keys are these.
pub(crate) const FAILING_KEYS: u32 = 1_000;
pub(crate) const FIRST_FAILING_KEY: u32 = 900_000;

/// Which Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RedisTarget {
    Everysec,
    Always,
    /// As `Everysec`, half a millisecond away, there and back together.
    Remote,
}

impl Load {
    /// Lets an earlier build of this program take part, too, wherever the framework runs on the defaults.
    pub(crate) fn with_earlier(mut self) -> Self {
        let is_framework =
            |variant: &&Variant| variant.subject == Subject::Ordered && variant.processes == 1;
        let earlier = self
            .variants
            .iter()
            .find(is_framework)
            .map(|variant| Variant {
                label: "earlier",
                earlier: true,
                ..variant.clone()
            });
        self.variants.extend(earlier);
        self
    }

    /// How many events a second a trial is planned with.
    pub(crate) fn rate(&self) -> f64 {
        match self.pace {
            Pace::Backlog(rate) => rate,
            Pace::Share(_) => 0.0,
        }
    }

    /// What the handlers could do if nothing else took time, given how long one takes.
    pub(crate) fn ideal(&self, handler: Duration, processes: usize) -> f64 {
        let slots = u32::try_from(self.concurrency * processes).unwrap_or(u32::MAX);
        f64::from(slots) / handler.as_secs_f64()
    }
}
