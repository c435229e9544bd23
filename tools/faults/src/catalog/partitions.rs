//! Over RabbitMQ with partitions.

use super::fault;
use crate::fault::Part::{self, Confirm, HandOver, Heartbeat, Lease, Reconnect, Timeout};
use crate::fault::{Blow, Fault};
use crate::worker::Temper;

/// More than there are workers, so that each has some of them.
pub(super) const PARTITIONS: u16 = 4;

const fn partitions(
    name: &'static str,
    what: &'static str,
    blows: &'static [Blow],
    stall: &'static [Part],
) -> Fault {
    Fault {
        partitions: PARTITIONS,
        ..fault(name, what, blows, stall)
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
        &[Blow::KillWorker],
        &[Lease, HandOver],
    ),
    partitions(
        "partitions-pause-worker",
        "SIGSTOP of a worker with partitions beyond its lease, and about as long as its heartbeat, then SIGCONT",
        &[Blow::PauseWorker],
        &[Part::Blow, Heartbeat, Lease, HandOver],
    ),
    partitions(
        "partitions-kill-rabbit",
        "kill -9 of RabbitMQ with partitions, which comes back",
        &[Blow::KillRabbit],
        &[Part::Blow, Reconnect, Confirm, HandOver],
    ),
    partitions(
        "partitions-workers",
        "workers join and leave, and partitions are handed over",
        &[Blow::WorkerJoins, Blow::WorkerLeaves],
        &[Part::Blow, Lease, HandOver],
    ),
    Fault {
        grows: true,
        ..partitions(
            "partitions-grow",
            "4 partitions become 8 while events flow: one worker after the other is started with more",
            &[],
            &[Part::Blow, Lease, HandOver],
        )
    },
    Fault {
        hands: 2,
        grows: true,
        temper: Temper {
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
                Blow::KillWorker,
                Blow::PauseWorker,
                Blow::RestartWorker,
                Blow::WorkerJoins,
                Blow::WorkerLeaves,
                Blow::KillRabbit,
                Blow::StopRabbit,
            ],
            &[
                Part::Blow,
                Part::Blow,
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
