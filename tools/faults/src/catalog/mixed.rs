//! Several at a time.

use super::fault;
use crate::fault::Part::{self, Answer, Confirm, Lease, Reconnect, Timeout};
use crate::fault::{Blow, Fault};
use crate::worker::Temper;

pub(super) const FAULTS: &[Fault] = &[
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
];
