//! One kind of fault at a time.

use super::{NO_HANDLER_FAULTS, fault};
use crate::fault::StallCause::{self, Answer, Confirm, Lease, Reconnect, Timeout};
use crate::fault::{Fault, Injection};
use crate::worker::HandlerFaults;

const fn handler(
    name: &'static str,
    what: &'static str,
    handler_faults: HandlerFaults,
    stall: &'static [StallCause],
) -> Fault {
    Fault {
        handler_faults,
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
        &[Injection::KillWorker],
        &[Lease],
    ),
    fault(
        "pause-worker",
        "SIGSTOP of a worker beyond its lease, then SIGCONT",
        &[Injection::PauseWorker],
        &[StallCause::Injection, Lease],
    ),
    fault(
        "restart-worker",
        "SIGTERM of a worker, which drains and is started again",
        &[Injection::RestartWorker],
        &[Lease],
    ),
    fault(
        "kill-redis",
        "kill -9 of Redis, which comes back",
        &[Injection::KillRedis],
        &[StallCause::Injection, Answer, Lease],
    ),
    fault(
        "stop-redis",
        "Redis stops in order and is unavailable for seconds",
        &[Injection::StopRedis],
        &[StallCause::Injection, Answer, Lease],
    ),
    fault(
        "pause-redis",
        "SIGSTOP of Redis: it takes connections and answers nothing",
        &[Injection::PauseRedis],
        &[StallCause::Injection, Answer, Lease],
    ),
    fault(
        "kill-rabbit",
        "kill -9 of RabbitMQ, which comes back",
        &[Injection::KillRabbit],
        &[StallCause::Injection, Reconnect, Confirm],
    ),
    fault(
        "stop-rabbit",
        "RabbitMQ stops in order and is unavailable for seconds",
        &[Injection::StopRabbit],
        &[StallCause::Injection, Reconnect, Confirm],
    ),
    fault(
        "pause-rabbit",
        "SIGSTOP of RabbitMQ: connections stay, and nothing answers",
        &[Injection::PauseRabbit],
        &[StallCause::Injection, Reconnect, Confirm],
    ),
    fault(
        "cut-redis",
        "connections to Redis are reset in the middle",
        &[Injection::CutRedis],
        &[StallCause::Injection, Answer],
    ),
    fault(
        "cut-rabbit",
        "connections to RabbitMQ are reset in the middle",
        &[Injection::CutRabbit],
        &[StallCause::Injection, Reconnect],
    ),
    fault(
        "deaf-redis",
        "what workers say to Redis does not arrive, or late",
        &[Injection::DeafRedis],
        &[StallCause::Injection, Answer, Lease],
    ),
    fault(
        "mute-redis",
        "what Redis answers does not arrive, or late",
        &[Injection::MuteRedis],
        &[StallCause::Injection, Answer, Lease],
    ),
    fault(
        "deaf-rabbit",
        "what workers say to RabbitMQ does not arrive, or late",
        &[Injection::DeafRabbit],
        &[StallCause::Injection, Reconnect],
    ),
    fault(
        "mute-rabbit",
        "what RabbitMQ delivers does not arrive, or late",
        &[Injection::MuteRabbit],
        &[StallCause::Injection, Reconnect],
    ),
    fault(
        "slow-redis",
        "latency and little bandwidth between workers and Redis",
        &[Injection::SlowRedis],
        &[StallCause::Injection, Answer, Lease],
    ),
    fault(
        "slow-rabbit",
        "latency and little bandwidth between workers and RabbitMQ",
        &[Injection::SlowRabbit],
        &[StallCause::Injection, Reconnect],
    ),
    fault(
        "redis-memory",
        "Redis is out of memory (noeviction)",
        &[Injection::RedisMemory],
        &[StallCause::Injection, Answer],
    ),
    fault(
        "redis-scripts",
        "SCRIPT FLUSH: Redis forgets the scripts",
        &[Injection::RedisScripts],
        &[],
    ),
    Fault {
        small_disk: true,
        ..fault(
            "redis-disk",
            "the disk of Redis' append-only file is full, and Redis exits",
            &[Injection::RedisDisk],
            &[StallCause::Injection, Answer, Lease],
        )
    },
    fault(
        "rabbit-memory",
        "RabbitMQ's memory alarm: nobody can publish",
        &[Injection::RabbitMemory],
        &[StallCause::Injection],
    ),
    fault(
        "rabbit-connections",
        "RabbitMQ closes all connections",
        &[Injection::RabbitConnections],
        &[StallCause::Injection, Reconnect, Confirm],
    ),
    fault(
        "delete-queue",
        "the queue is deleted under its consumers, and the producer publishes again what had no effect",
        &[Injection::DeleteQueue],
        &[StallCause::Injection, Reconnect, Confirm],
    ),
    Fault {
        clocks: true,
        ..fault(
            "clocks",
            "the workers' wall clocks are hours apart, and workers are killed",
            &[Injection::KillWorker],
            &[Lease],
        )
    },
    handler(
        "handler-hangs",
        "the handler hangs until its timeout",
        HandlerFaults {
            hangs: 300,
            ..NO_HANDLER_FAULTS
        },
        &[Timeout],
    ),
    handler(
        "handler-fails",
        "the handler fails, up to three times on one event",
        HandlerFaults {
            fails: 3_000,
            ..NO_HANDLER_FAULTS
        },
        &[Timeout],
    ),
    handler(
        "handler-panics",
        "the handler panics, up to three times on one event",
        HandlerFaults {
            panics: 2_000,
            ..NO_HANDLER_FAULTS
        },
        &[Timeout],
    ),
    handler(
        "handler-aborts",
        "the handler takes its process along, before or after its effect",
        HandlerFaults {
            aborts: 20,
            ..NO_HANDLER_FAULTS
        },
        &[Lease, Lease],
    ),
];
