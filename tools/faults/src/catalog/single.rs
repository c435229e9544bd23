//! One kind of fault at a time.

use super::{CALM, fault};
use crate::fault::Part::{self, Answer, Confirm, Lease, Reconnect, Timeout};
use crate::fault::{Blow, Fault};
use crate::worker::Temper;

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

pub(super) const FAULTS: &[Fault] = &[
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
];
