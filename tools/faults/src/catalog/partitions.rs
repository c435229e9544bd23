//! Over RabbitMQ with partitions.

use super::fault;
use crate::fault::StallCause::{self, Confirm, HandOver, Heartbeat, Lease, Reconnect, Timeout};
use crate::fault::{Fault, Injection};
use crate::worker::HandlerFaults;

/// More than there are workers, so that each has some of them.
pub(super) const PARTITIONS: u16 = 4;

const fn partitions(
    name: &'static str,
    what: &'static str,
    injections: &'static [Injection],
    stall: &'static [StallCause],
) -> Fault {
    Fault {
        partitions: PARTITIONS,
        ..fault(name, what, injections, stall)
    }
}

pub(super) const FAULTS: &[Fault] = &[
    partitions(
        "partitions",
        "nothing, over partitions of RabbitMQ",
        &[],
        &[HandOver],
    ),
    partitions(
        "partitions-kill-worker",
        "kill -9 of a worker with partitions, which is started again",
        &[Injection::KillWorker],
        &[Lease, HandOver],
    ),
    partitions(
        "partitions-pause-worker",
        "SIGSTOP of a worker with partitions beyond its lease, and about as long as its heartbeat, then SIGCONT",
        &[Injection::PauseWorker],
        &[StallCause::Injection, Heartbeat, Lease, HandOver],
    ),
    partitions(
        "partitions-kill-rabbit",
        "kill -9 of RabbitMQ with partitions, which comes back",
        &[Injection::KillRabbit],
        &[StallCause::Injection, Reconnect, Confirm, HandOver],
    ),
    partitions(
        "partitions-workers",
        "workers join and leave, and partitions are handed over",
        &[Injection::WorkerJoins, Injection::WorkerLeaves],
        &[StallCause::Injection, Lease, HandOver],
    ),
    Fault {
        grows: true,
        ..partitions(
            "partitions-grow",
            "4 partitions become 8 while events flow: one worker after the other is started with more",
            &[],
            &[StallCause::Injection, Lease, HandOver],
        )
    },
    Fault {
        injectors: 2,
        grows: true,
        handler_faults: HandlerFaults {
            seed: 0,
            hangs: 50,
            fails: 500,
            panics: 500,
            aborts: 5,
        },
        ..partitions(
            "mixed-partitions",
            "4 partitions become 8, workers join, leave, are killed and paused, and RabbitMQ is killed and stopped, \
             two at a time, with a handler that hangs, fails, panics and aborts",
            &[
                Injection::KillWorker,
                Injection::PauseWorker,
                Injection::RestartWorker,
                Injection::WorkerJoins,
                Injection::WorkerLeaves,
                Injection::KillRabbit,
                Injection::StopRabbit,
            ],
            &[
                StallCause::Injection,
                StallCause::Injection,
                Heartbeat,
                Lease,
                Reconnect,
                Confirm,
                HandOver,
                Timeout,
            ],
        )
    },
];
