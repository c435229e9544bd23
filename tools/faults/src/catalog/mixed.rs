//! Several at a time.

use super::fault;
use crate::fault::StallCause::{self, Answer, Confirm, Lease, Reconnect, Timeout};
use crate::fault::{Fault, Injection};
use crate::worker::HandlerFaults;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        injectors: 2,
        ..fault(
            "mixed-servers",
            "Redis, RabbitMQ and workers are killed, stopped and paused, two at a time",
            &[
                Injection::KillWorker,
                Injection::PauseWorker,
                Injection::RestartWorker,
                Injection::KillRedis,
                Injection::StopRedis,
                Injection::PauseRedis,
                Injection::KillRabbit,
                Injection::StopRabbit,
                Injection::PauseRabbit,
                Injection::RedisMemory,
                Injection::RedisScripts,
                Injection::RabbitMemory,
                Injection::RabbitConnections,
            ],
            &[
                StallCause::Injection,
                StallCause::Injection,
                Answer,
                Lease,
                Reconnect,
                Confirm,
            ],
        )
    },
    Fault {
        injectors: 2,
        ..fault(
            "mixed-network",
            "cuts, blackholes and slow links, and workers are killed and paused, two at a time",
            &[
                Injection::KillWorker,
                Injection::PauseWorker,
                Injection::CutRedis,
                Injection::CutRabbit,
                Injection::DeafRedis,
                Injection::MuteRedis,
                Injection::DeafRabbit,
                Injection::MuteRabbit,
                Injection::SlowRedis,
                Injection::SlowRabbit,
            ],
            &[
                StallCause::Injection,
                StallCause::Injection,
                Answer,
                Lease,
                Reconnect,
            ],
        )
    },
    Fault {
        injectors: 2,
        clocks: true,
        handler_faults: HandlerFaults {
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
                Injection::KillWorker,
                Injection::PauseWorker,
                Injection::RestartWorker,
                Injection::KillRedis,
                Injection::StopRedis,
                Injection::KillRabbit,
                Injection::CutRedis,
                Injection::CutRabbit,
                Injection::DeafRedis,
                Injection::MuteRedis,
                Injection::DeafRabbit,
                Injection::MuteRabbit,
                Injection::SlowRedis,
                Injection::SlowRabbit,
                Injection::RedisMemory,
                Injection::RabbitMemory,
                Injection::DeleteQueue,
            ],
            &[
                StallCause::Injection,
                StallCause::Injection,
                Answer,
                Lease,
                Reconnect,
                Confirm,
                Timeout,
            ],
        )
    },
];
