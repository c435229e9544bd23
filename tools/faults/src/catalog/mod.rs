//! All faults.

mod kafka;
mod mixed;
mod orders;
mod partitions;
mod single;

use crate::fault::StallCause::{self, Answer, Confirm, Lease, Reconnect, Timeout};
use crate::fault::{Broker, Fault, Injection};
use crate::orders::Sequencing;
use crate::worker::HandlerFaults;

/// Every fault, in the order in which `all` goes through them.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    let kinds: [&'static [Fault]; 6] = [
        single::FAULTS,
        mixed::FAULTS,
        kafka::FAULTS,
        partitions::FAULTS,
        orders::FAULTS,
        MONEY,
    ];
    kinds.into_iter().flatten()
}

const NO_HANDLER_FAULTS: HandlerFaults = HandlerFaults {
    seed: 0,
    hangs: 0,
    fails: 0,
    panics: 0,
    aborts: 0,
};

const fn fault(
    name: &'static str,
    what: &'static str,
    injections: &'static [Injection],
    stall: &'static [StallCause],
) -> Fault {
    Fault {
        name,
        what,
        injections,
        injectors: 1,
        handler_faults: NO_HANDLER_FAULTS,
        clocks: false,
        small_disk: false,
        money: false,
        stall,
        broker: Broker::Rabbit,
        partitions: 0,
        grows: false,
        sequencing: Sequencing::Sequence,
    }
}

const MONEY: &[Fault] = &[Fault {
    money: true,
    ..fault(
        "money",
        "money is moved through outbox and inbox; writers, relays and workers are killed, Postgres, RabbitMQ and Redis \
             restarted, and Redis is flushed once",
        &[],
        &[
            StallCause::Injection,
            Answer,
            Lease,
            Reconnect,
            Confirm,
            Timeout,
        ],
    )
}];
