//! The orders besides 1, 2, 3, …: each with the faults of a worker, of Redis and of RabbitMQ.
//!
//! But for `arrival`: when RabbitMQ starts again, a key may come over another partition than before, and so overtake
//! what waits
//! (<https://github.com/rabbitmq/rabbitmq-server/tree/main/deps/rabbitmq_consistent_hash_exchange#node-restart-effects>).

use super::fault;
use super::partitions::PARTITIONS;
use crate::fault::StallCause::{self, Answer, Confirm, HandOver, Heartbeat, Lease, Reconnect};
use crate::fault::{Fault, Injection};
use crate::orders::Sequencing;

const fn order(sequencing: Sequencing, name: &'static str, what: &'static str) -> Fault {
    Fault {
        sequencing,
        ..fault(
            name,
            what,
            &[
                Injection::KillWorker,
                Injection::PauseWorker,
                Injection::RestartWorker,
                Injection::KillRedis,
                Injection::KillRabbit,
            ],
            &[
                StallCause::Injection,
                Answer,
                Heartbeat,
                Lease,
                Reconnect,
                Confirm,
                HandOver,
            ],
        )
    }
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        // One queue with several workers keeps no order.
        partitions: PARTITIONS,
        injections: &[
            Injection::KillWorker,
            Injection::PauseWorker,
            Injection::RestartWorker,
            Injection::KillRedis,
        ],
        stall: &[StallCause::Injection, Answer, Heartbeat, Lease, HandOver],
        ..order(
            Sequencing::Arrival,
            "arrival",
            "events without numbers, over partitions, in the order of arrival, while workers and Redis are killed",
        )
    },
    order(
        Sequencing::Monotonic,
        "monotonic",
        "versions, none older than one that was committed, while workers, Redis and RabbitMQ are killed",
    ),
    order(
        Sequencing::Causal,
        "causal",
        "events of three producers with vector clocks, causes first, while workers, Redis and RabbitMQ are killed",
    ),
    order(
        Sequencing::Lamport,
        "lamport",
        "events of three producers with Lamport clocks, all in one order, while workers, Redis and RabbitMQ are killed",
    ),
];
