//! Over Kafka.

use super::fault;
use crate::fault::Part::{self, Answer, KafkaReconnect, Lease, Rebalance, Timeout};
use crate::fault::{Blow, Broker, Fault};
use crate::worker::Temper;

const fn kafka(
    name: &'static str,
    what: &'static str,
    blows: &'static [Blow],
    stall: &'static [Part],
) -> Fault {
    Fault {
        broker: Broker::Kafka,
        ..fault(name, what, blows, stall)
    }
}

pub(super) const FAULTS: &[Fault] = &[
    // The workers join the group one after the other.
    kafka("kafka", "nothing, over Kafka", &[], &[Rebalance]),
    kafka(
        "kafka-kill-worker",
        "kill -9 of a worker on Kafka, which is started again",
        &[Blow::KillWorker],
        &[Lease, Rebalance],
    ),
    kafka(
        "kafka-pause-worker",
        "SIGSTOP of a worker on Kafka beyond its lease and its session, then SIGCONT",
        &[Blow::PauseWorker],
        &[Part::Blow, Lease, Rebalance],
    ),
    kafka(
        "kafka-restart-worker",
        "SIGTERM of a worker on Kafka, which drains and is started again",
        &[Blow::RestartWorker],
        &[Lease, Rebalance],
    ),
    kafka(
        "kafka-kill-redis",
        "kill -9 of Redis under workers on Kafka",
        &[Blow::KillRedis],
        &[Part::Blow, Answer, Lease],
    ),
    kafka(
        "kill-kafka",
        "kill -9 of the Kafka broker, which comes back",
        &[Blow::KillKafka],
        &[Part::Blow, KafkaReconnect, Rebalance],
    ),
    kafka(
        "stop-kafka",
        "the Kafka broker stops in order and is unavailable for seconds",
        &[Blow::StopKafka],
        &[Part::Blow, KafkaReconnect, Rebalance],
    ),
    kafka(
        "pause-kafka",
        "SIGSTOP of the Kafka broker: connections stay, and nothing answers",
        &[Blow::PauseKafka],
        &[Part::Blow, KafkaReconnect, Rebalance],
    ),
    Fault {
        hands: 2,
        temper: Temper {
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
                Blow::KillWorker,
                Blow::PauseWorker,
                Blow::RestartWorker,
                Blow::KillRedis,
                Blow::StopRedis,
                Blow::PauseRedis,
                Blow::KillKafka,
                Blow::StopKafka,
                Blow::PauseKafka,
            ],
            &[
                Part::Blow,
                Part::Blow,
                Answer,
                Lease,
                KafkaReconnect,
                Rebalance,
                Timeout,
            ],
        )
    },
];
