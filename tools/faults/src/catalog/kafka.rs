//! Over Kafka.

use super::fault;
use crate::fault::StallCause::{self, Answer, KafkaReconnect, Lease, Rebalance, Timeout};
use crate::fault::{Broker, Fault, Injection};
use crate::worker::HandlerFaults;

const fn kafka(
    name: &'static str,
    what: &'static str,
    injections: &'static [Injection],
    stall: &'static [StallCause],
) -> Fault {
    Fault {
        broker: Broker::Kafka,
        ..fault(name, what, injections, stall)
    }
}

pub(super) const FAULTS: &[Fault] = &[
    // The workers join the group one after the other.
    kafka("kafka", "nothing, over Kafka", &[], &[Rebalance]),
    kafka(
        "kafka-kill-worker",
        "kill -9 of a worker on Kafka, which is started again",
        &[Injection::KillWorker],
        &[Lease, Rebalance],
    ),
    kafka(
        "kafka-pause-worker",
        "SIGSTOP of a worker on Kafka beyond its lease and its session, then SIGCONT",
        &[Injection::PauseWorker],
        &[StallCause::Injection, Lease, Rebalance],
    ),
    kafka(
        "kafka-restart-worker",
        "SIGTERM of a worker on Kafka, which drains and is started again",
        &[Injection::RestartWorker],
        &[Lease, Rebalance],
    ),
    kafka(
        "kafka-kill-redis",
        "kill -9 of Redis under workers on Kafka",
        &[Injection::KillRedis],
        &[StallCause::Injection, Answer, Lease],
    ),
    kafka(
        "kill-kafka",
        "kill -9 of the Kafka broker, which comes back",
        &[Injection::KillKafka],
        &[StallCause::Injection, KafkaReconnect, Rebalance],
    ),
    kafka(
        "stop-kafka",
        "the Kafka broker stops in order and is unavailable for seconds",
        &[Injection::StopKafka],
        &[StallCause::Injection, KafkaReconnect, Rebalance],
    ),
    kafka(
        "pause-kafka",
        "SIGSTOP of the Kafka broker: connections stay, and nothing answers",
        &[Injection::PauseKafka],
        &[StallCause::Injection, KafkaReconnect, Rebalance],
    ),
    Fault {
        injectors: 2,
        handler_faults: HandlerFaults {
            seed: 0,
            hangs: 50,
            fails: 500,
            panics: 500,
            aborts: 5,
        },
        ..kafka(
            "mixed-kafka",
            "Kafka, Redis and workers are killed, stopped and paused, two at a time, with a handler that hangs, fails, \
             panics and aborts",
            &[
                Injection::KillWorker,
                Injection::PauseWorker,
                Injection::RestartWorker,
                Injection::KillRedis,
                Injection::StopRedis,
                Injection::PauseRedis,
                Injection::KillKafka,
                Injection::StopKafka,
                Injection::PauseKafka,
            ],
            &[
                StallCause::Injection,
                StallCause::Injection,
                Answer,
                Lease,
                KafkaReconnect,
                Rebalance,
                Timeout,
            ],
        )
    },
];
