//! What is aimed at, and whether it was reached.

use std::time::Duration;

use serde::Serialize;

use super::{Results, Spread};
use crate::load::Load;
use crate::runner::Trial;

/// A target, and what was measured for it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TargetResult {
    pub(super) load: &'static str,
    pub(super) what: &'static str,
    pub(super) aim: Aim,
    pub(super) measured: Spread,
    pub(super) met: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

/// Rates of two variants of a load, round by round.
const RATIOS: [(&str, &str, &str, &str, f64); 20] = [
    ("in-order", "ordered", "floor", "× the floor", 0.40),
    (
        "in-order",
        "ordered",
        "ack each",
        "× an ack for each message",
        2.5,
    ),
    (
        "in-order",
        "ordered",
        "by hand",
        "× the recipe by hand",
        1.0,
    ),
    ("in-order-always", "ordered", "floor", "× the floor", 0.35),
    ("shuffled", "ordered", "floor", "× the floor", 0.35),
    ("zipf", "ordered", "floor", "× the floor", 0.20),
    (
        "one-key",
        "ordered",
        "script",
        "× a sequential script call",
        0.45,
    ),
    (
        "many-keys",
        "ordered",
        "by hand",
        "× the recipe by hand",
        0.90,
    ),
    (
        "one-key-ahead",
        "commit window",
        "floor",
        "commit window, × the floor",
        0.50,
    ),
    (
        "one-key-ahead",
        "batch 100",
        "floor",
        "batch 100, × the floor",
        0.50,
    ),
    (
        "redis-remote",
        "ordered, remote",
        "ordered",
        "× Redis next door",
        0.80,
    ),
    (
        "backing-off",
        "1,000 back off",
        "ordered",
        "× none backing off",
        0.90,
    ),
    (
        "processes",
        "ordered ×2",
        "ordered",
        "2 processes, × linear",
        0.90,
    ),
    (
        "processes",
        "ordered ×4",
        "ordered",
        "4 processes, × linear",
        0.90,
    ),
    // No dearer, but for what two trials of the same differ by.
    ("orders", "arrival", "sequence", "arrival, × sequence", 0.95),
    (
        "orders",
        "monotonic",
        "sequence",
        "monotonic, × sequence",
        0.95,
    ),
    ("orders", "causal", "sequence", "causal, × sequence", 0.50),
    ("orders", "lamport", "sequence", "lamport, × sequence", 0.50),
    ("kafka", "ordered", "floor", "× the floor", 0.45),
    ("kafka", "ordered", "by hand", "× the recipe by hand", 1.0),
];

impl Aim {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }
}

/// Every target for which there are figures.
pub(super) fn judge(results: &Results, loads: &[Load]) -> Vec<TargetResult> {
    let mut judged = Vec::new();
    let mut hold = |load, what, aim: Aim, measured: Option<Spread>| {
        if let Some(measured) = measured {
            judged.push(TargetResult {
                load,
                what,
                aim,
                measured,
                met: aim.is_met(measured.median),
            });
        }
    };
    for (load, one, other, what, least) in RATIOS {
        let linear = match one {
            "ordered ×2" => 2.0,
            "ordered ×4" => 4.0,
            _ => 1.0,
        };
        let rate = |trial: &Trial| trial.rate / if trial.variant == one { linear } else { 1.0 };
        let measured = results.ratio(load, (one, other), rate);
        hold(load, what, Aim::AtLeast(least), measured);
    }
    for name in ["handler-1ms", "handler-10ms"] {
        if let Some(load) = loads.iter().find(|load| load.name == name) {
            let share = |trial: &Trial| {
                let handler = Duration::from_secs_f64(trial.handler / 1e6);
                Some(trial.rate / load.ideal(handler, 1))
            };
            let measured = results.spread(name, "ordered", share);
            hold(name, "× slots ÷ handler time", Aim::AtLeast(0.90), measured);
        }
    }
    let trips = results.spread("in-order", "ordered", |trial| {
        Some(trial.round_trips_per_1000)
    });
    hold(
        "in-order",
        "round trips to Redis per 1,000 events",
        Aim::AtMost(20.0),
        trips,
    );
    let redis = results.ratio("in-order", ("ordered", "by hand"), |trial| {
        trial.redis.processor
    });
    hold(
        "in-order",
        "Redis' CPU, × that of the recipe by hand",
        Aim::AtMost(1.1),
        redis,
    );
    let processor = results.ratio("in-order", ("ordered", "floor"), |trial| trial.processor);
    hold(
        "in-order",
        "CPU of the worker, × the floor's",
        Aim::AtMost(2.4),
        processor,
    );
    for (order, what) in [
        ("arrival", "arrival, bytes of state, × sequence's"),
        ("monotonic", "monotonic, bytes of state, × sequence's"),
    ] {
        let bytes = |trial: &Trial| trial.state_bytes.unwrap_or_default();
        let measured = results.ratio("orders", (order, "sequence"), bytes);
        hold("orders", what, Aim::AtMost(1.1), measured);
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "memory is far less than 2^52 bytes"
    )]
    let growth = results.spread("worker-memory", "ordered", |trial| {
        Some(trial.resident_bytes[3] as f64 / trial.resident_bytes[1] as f64)
    });
    hold(
        "worker-memory",
        "memory in the last quarter, × the second's",
        Aim::AtMost(1.05),
        growth,
    );
    if let Some(memory) = results.redis_memory {
        let exactly = |bytes| Some(Spread::exactly(bytes));
        let load = crate::runner::REDIS_MEMORY;
        let (key, id) = (exactly(memory.idle_key), exactly(memory.remembered_id));
        hold(load, "bytes per idle key", Aim::AtMost(64.0), key);
        hold(load, "bytes per remembered id", Aim::AtMost(20.0), id);
    }
    judged
}
