//! All faults.

use crate::fault::Part::{
    self, Answer, Confirm, KafkaReconnect, Lease, Rebalance, Reconnect, Timeout,
};
use crate::fault::{Blow, Broker, Fault};
use crate::worker::Temper;

const CALM: Temper = Temper {
    seed: 0,
    hangs: 0,
    fails: 0,
    panics: 0,
    aborts: 0,
};

const fn fault(
    name: &'static str,
    what: &'static str,
    blows: &'static [Blow],
    stall: &'static [Part],
) -> Fault {
    Fault {
        name,
        what,
        blows,
        hands: 1,
        temper: CALM,
        clocks: false,
        small_disk: false,
        money: false,
        stall,
        broker: Broker::Rabbit,
    }
}

/// The same over Kafka.
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

const fn handler(
    name: &'static str,
    what: &'static str,
    temper: Temper,
    stall: &'static [Part],
) -> Fault {
    Fault {
        temper,
        ..fault(name, what, &[], stall)
    }
}

/// Every fault, in the order in which `all` goes through them.
pub static FAULTS: &[Fault] = &[
    fault(
        "none",
        "nothing: what all others are compared with",
        &[],
        &[],
    ),
    fault(
        "kill-worker",
        "kill -9 of a worker, which is started again",
        &[Blow::KillWorker],
        &[Lease],
    ),
    fault(
        "pause-worker",
        "SIGSTOP of a worker beyond its lease, then SIGCONT",
        &[Blow::PauseWorker],
        &[Part::Blow, Lease],
    ),
    fault(
        "restart-worker",
        "SIGTERM of a worker, which drains and is started again",
        &[Blow::RestartWorker],
        &[Lease],
    ),
    fault(
        "kill-redis",
        "kill -9 of Redis, which comes back",
        &[Blow::KillRedis],
        &[Part::Blow, Answer, Lease],
    ),
    fault(
        "stop-redis",
        "Redis stops in order and is unavailable for seconds",
        &[Blow::StopRedis],
        &[Part::Blow, Answer, Lease],
    ),
    fault(
        "pause-redis",
        "SIGSTOP of Redis: it takes connections and answers nothing",
        &[Blow::PauseRedis],
        &[Part::Blow, Answer, Lease],
    ),
    fault(
        "kill-rabbit",
        "kill -9 of RabbitMQ, which comes back",
        &[Blow::KillRabbit],
        &[Part::Blow, Reconnect, Confirm],
    ),
    fault(
        "stop-rabbit",
        "RabbitMQ stops in order and is unavailable for seconds",
        &[Blow::StopRabbit],
        &[Part::Blow, Reconnect, Confirm],
    ),
    fault(
        "pause-rabbit",
        "SIGSTOP of RabbitMQ: connections stay, and nothing answers",
        &[Blow::PauseRabbit],
        &[Part::Blow, Reconnect, Confirm],
    ),
    fault(
        "cut-redis",
        "connections to Redis are reset in the middle",
        &[Blow::CutRedis],
        &[Part::Blow, Answer],
    ),
    fault(
        "cut-rabbit",
        "connections to RabbitMQ are reset in the middle",
        &[Blow::CutRabbit],
        &[Part::Blow, Reconnect],
    ),
    fault(
        "deaf-redis",
        "what workers say to Redis does not arrive, or late",
        &[Blow::DeafRedis],
        &[Part::Blow, Answer, Lease],
    ),
    fault(
        "mute-redis",
        "what Redis answers does not arrive, or late",
        &[Blow::MuteRedis],
        &[Part::Blow, Answer, Lease],
    ),
    fault(
        "deaf-rabbit",
        "what workers say to RabbitMQ does not arrive, or late",
        &[Blow::DeafRabbit],
        &[Part::Blow, Reconnect],
    ),
    fault(
        "mute-rabbit",
        "what RabbitMQ delivers does not arrive, or late",
        &[Blow::MuteRabbit],
        &[Part::Blow, Reconnect],
    ),
    fault(
        "slow-redis",
        "latency and little bandwidth between workers and Redis",
        &[Blow::SlowRedis],
        &[Part::Blow, Answer, Lease],
    ),
    fault(
        "slow-rabbit",
        "latency and little bandwidth between workers and RabbitMQ",
        &[Blow::SlowRabbit],
        &[Part::Blow, Reconnect],
    ),
    fault(
        "redis-memory",
        "Redis is out of memory (noeviction)",
        &[Blow::RedisMemory],
        &[Part::Blow, Answer],
    ),
    fault(
        "redis-scripts",
        "SCRIPT FLUSH: Redis forgets the scripts",
        &[Blow::RedisScripts],
        &[],
    ),
    Fault {
        small_disk: true,
        ..fault(
            "redis-disk",
            "the disk of Redis' append-only file is full, and Redis exits",
            &[Blow::RedisDisk],
            &[Part::Blow, Answer, Lease],
        )
    },
    fault(
        "rabbit-memory",
        "RabbitMQ's memory alarm: nobody can publish",
        &[Blow::RabbitMemory],
        &[Part::Blow],
    ),
    fault(
        "rabbit-connections",
        "RabbitMQ closes all connections",
        &[Blow::RabbitConnections],
        &[Part::Blow, Reconnect, Confirm],
    ),
    fault(
        "delete-queue",
        "the queue is deleted under its consumers, and the producer publishes again what had no effect",
        &[Blow::DeleteQueue],
        &[Part::Blow, Reconnect, Confirm],
    ),
    Fault {
        clocks: true,
        ..fault(
            "clocks",
            "the workers' wall clocks are hours apart, and workers are killed",
            &[Blow::KillWorker],
            &[Lease],
        )
    },
    handler(
        "handler-hangs",
        "the handler hangs until its timeout",
        Temper { hangs: 300, ..CALM },
        &[Timeout],
    ),
    handler(
        "handler-fails",
        "the handler fails, up to three times on one event",
        Temper {
            fails: 3_000,
            ..CALM
        },
        &[Timeout],
    ),
    handler(
        "handler-panics",
        "the handler panics, up to three times on one event",
        Temper {
            panics: 2_000,
            ..CALM
        },
        &[Timeout],
    ),
    handler(
        "handler-aborts",
        "the handler takes its process along, before or after its effect",
        Temper { aborts: 20, ..CALM },
        &[Lease, Lease],
    ),
    Fault {
        hands: 2,
        ..fault(
            "mixed-servers",
            "Redis, RabbitMQ and workers are killed, stopped and paused, two at a time",
            &[
                Blow::KillWorker,
                Blow::PauseWorker,
                Blow::RestartWorker,
                Blow::KillRedis,
                Blow::StopRedis,
                Blow::PauseRedis,
                Blow::KillRabbit,
                Blow::StopRabbit,
                Blow::PauseRabbit,
                Blow::RedisMemory,
                Blow::RedisScripts,
                Blow::RabbitMemory,
                Blow::RabbitConnections,
            ],
            &[Part::Blow, Part::Blow, Answer, Lease, Reconnect, Confirm],
        )
    },
    Fault {
        hands: 2,
        ..fault(
            "mixed-network",
            "cuts, blackholes and slow links, and workers are killed and paused, two at a time",
            &[
                Blow::KillWorker,
                Blow::PauseWorker,
                Blow::CutRedis,
                Blow::CutRabbit,
                Blow::DeafRedis,
                Blow::MuteRedis,
                Blow::DeafRabbit,
                Blow::MuteRabbit,
                Blow::SlowRedis,
                Blow::SlowRabbit,
            ],
            &[Part::Blow, Part::Blow, Answer, Lease, Reconnect],
        )
    },
    Fault {
        hands: 2,
        clocks: true,
        temper: Temper {
            seed: 0,
            hangs: 50,
            fails: 500,
            panics: 500,
            aborts: 5,
        },
        ..fault(
            "mixed-all",
            "everything above, two at a time, clocks apart, with a handler that hangs, fails, panics and aborts",
            &[
                Blow::KillWorker,
                Blow::PauseWorker,
                Blow::RestartWorker,
                Blow::KillRedis,
                Blow::StopRedis,
                Blow::KillRabbit,
                Blow::CutRedis,
                Blow::CutRabbit,
                Blow::DeafRedis,
                Blow::MuteRedis,
                Blow::DeafRabbit,
                Blow::MuteRabbit,
                Blow::SlowRedis,
                Blow::SlowRabbit,
                Blow::RedisMemory,
                Blow::RabbitMemory,
                Blow::DeleteQueue,
            ],
            &[
                Part::Blow,
                Part::Blow,
                Answer,
                Lease,
                Reconnect,
                Confirm,
                Timeout,
            ],
        )
    },
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
            "Kafka, Redis and workers are killed, stopped and paused, two at a time, with a handler that hangs, fails, panics and \
             aborts",
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
    Fault {
        money: true,
        ..fault(
            "money",
            "money is moved through outbox and inbox; writers, relays and workers are killed, Postgres, RabbitMQ and Redis \
             restarted, and Redis is flushed once",
            &[],
            &[Part::Blow, Answer, Lease, Reconnect, Confirm, Timeout],
        )
    },
];
