//! What a fault is.

use std::time::Duration;

use crate::orders::Sequencing;
use crate::worker::{
    AMQP_HEARTBEAT, ANSWER, HandlerFaults, KAFKA_RECONNECT, KAFKA_SESSION, LEASE, REBALANCE,
    RECONNECT, SWEEP, TIMEOUT,
};

/// One kind of fault, or a mixture.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What is done, in a few words.
    pub what: &'static str,
    /// What is injected, again and again while events flow; the seed decides which, when and for how long.
    pub injections: &'static [Injection],
    /// How many injections run at a time.
    pub injectors: usize,
    /// How often the handler goes wrong.
    pub handler_faults: HandlerFaults,
    /// The workers' wall clocks are hours apart.
    pub clocks: bool,
    /// Redis has a small disk of its own.
    pub small_disk: bool,
    /// Money is moved, through the outbox and the inbox in Postgres: a run of its own, with its own injections.
    pub money: bool,
    /// What a stall is made of.
    pub stall: &'static [StallCause],
    /// Over which broker the events come.
    pub broker: Broker,
    /// How many partitions the queue has; 0 where it has none. Only of RabbitMQ.
    pub partitions: u16,
    /// They become twice as many, once, in the middle.
    pub grows: bool,
    /// In which order the events of a key run.
    pub sequencing: Sequencing,
}

/// A kind of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Broker {
    Rabbit,
    Kafka,
}

/// What is done once, to something that the seed picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
#[non_exhaustive]
pub enum Injection {
    KillWorker,
    PauseWorker,
    RestartWorker,
    /// Another one joins for a while.
    WorkerJoins,
    /// One leaves for a while.
    WorkerLeaves,
    KillRedis,
    StopRedis,
    PauseRedis,
    KillRabbit,
    StopRabbit,
    PauseRabbit,
    CutRedis,
    CutRabbit,
    /// What workers say to Redis does not arrive.
    DeafRedis,
    /// What Redis answers does not arrive.
    MuteRedis,
    DeafRabbit,
    MuteRabbit,
    SlowRedis,
    SlowRabbit,
    RedisMemory,
    RedisScripts,
    RedisDisk,
    RabbitMemory,
    RabbitConnections,
    DeleteQueue,
    MorePartitions,
    KillKafka,
    StopKafka,
    PauseKafka,
}

/// One of the causes that explain a stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum StallCause {
    /// What was disturbed was unavailable, blocked or slow for so long.
    Injection,
    /// A worker's lease and two sweeps: one that doubts the worker, and one that finds it dead.
    Lease,
    /// The longest pause before RabbitMQ is tried again, and the handshake.
    Reconnect,
    /// Confirms that RabbitMQ owes the producer and never sends, until they are given up and the batch is published
    /// again.
    Confirm,
    /// A call to Redis that is given up, and the pause before the next.
    Answer,
    /// The handler's timeout and the pause before it is tried again.
    Timeout,
    /// The longest pauses before a broker of Kafka is tried again, first as any broker and then as the coordinator of
    /// the group. The client waits for up to half as long again as it is told to (`reconnect.backoff.max.ms`).
    KafkaReconnect,
    /// RabbitMQ finds out that a worker says nothing, and hands its partitions to others.
    Heartbeat,
    /// A partition is handed over: what its worker has is given this long to be settled, and is delivered again.
    HandOver,
    /// A group of Kafka that finds out that a member is gone, or is made anew, and shares the partitions once more.
    Rebalance,
}

impl StallCause {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Lease => "lease + two sweeps",
            Self::Reconnect | Self::KafkaReconnect => "reconnect",
            Self::Confirm => "given-up confirm",
            Self::Answer => "given-up call",
            Self::Timeout => "timeout + backoff",
            Self::Heartbeat => "heartbeat",
            Self::HandOver => "hand-over",
            Self::Rebalance => "rebalance",
        }
    }

    pub(crate) fn at_most(self, injection: Duration) -> Duration {
        match self {
            Self::Injection => injection,
            Self::Lease => LEASE + SWEEP.mul_f64(2.5),
            Self::Reconnect => RECONNECT * 2,
            Self::Confirm => Duration::from_secs(10),
            Self::Answer => ANSWER * 2 + Duration::from_secs(1),
            Self::Timeout => TIMEOUT + Duration::from_millis(500),
            Self::KafkaReconnect => KAFKA_RECONNECT.mul_f64(1.5) * 2,
            Self::Heartbeat => Duration::from_secs(AMQP_HEARTBEAT * 2),
            Self::HandOver => REBALANCE * 2,
            Self::Rebalance => KAFKA_SESSION * 2,
        }
    }
}

impl Injection {
    /// Whether it needs a proxy between the workers and their servers.
    pub(crate) fn needs_proxy(self) -> bool {
        matches!(
            self,
            Self::CutRedis
                | Self::CutRabbit
                | Self::DeafRedis
                | Self::MuteRedis
                | Self::DeafRabbit
                | Self::MuteRabbit
                | Self::SlowRedis
                | Self::SlowRabbit
        )
    }
}
