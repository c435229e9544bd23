use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

use super::label::{Outcome, Step, StoreCall};

/// A metric of workers or of publishers: what exporters, dashboards and their tests need to know of it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// Its labels and all values of each, besides `group`, which each metric of a worker has.
    pub labels: &'static [(&'static str, &'static [&'static str])],
    /// What it says, in a sentence.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size; with bounds that fit what is measured, for exporters that ask for them.
    Histogram {
        /// Upper bounds, ascending.
        buckets: &'static [f64],
    },
}

/// All metrics of the worker.
pub const METRICS: &[Metric] = &[
    RECEIVED,
    DELIVERIES,
    UNSETTLED,
    EVENTS,
    HANDLER_SECONDS,
    HELD_SECONDS,
    QUEUE_SECONDS,
    STORE_SECONDS,
    STORE_FAILURES,
    BATCH_COMMANDS,
    STORE_UP,
    BROKER_UP,
    LAPSES,
    LANES,
    HALTED,
    OLDEST_GAP,
    BREAKER_OPEN,
];

pub(super) const RECEIVED: Metric = Metric::counter(
    "ordered_received_total",
    "Deliveries that were taken from the broker.",
);
pub(super) const DELIVERIES: Metric = Metric {
    labels: &[("outcome", Outcome::VALUES)],
    ..Metric::counter(
        "ordered_deliveries_total",
        "Deliveries by their outcomes. Each ends in exactly one outcome.",
    )
};
pub(super) const UNSETTLED: Metric = Metric::gauge(
    "ordered_unsettled",
    "Deliveries that were taken from the broker and whose outcome is open.",
);
pub(super) const EVENTS: Metric = Metric {
    labels: &[("step", Step::VALUES)],
    ..Metric::counter(
        "ordered_events_total",
        "Steps that events have gone, those included that came from the store.",
    )
};
pub(super) const HANDLER_SECONDS: Metric = Metric::histogram(
    "ordered_handler_seconds",
    "How long a run of the handler took.",
    &[
        0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        30.0, 60.0,
    ],
);
pub(super) const HELD_SECONDS: Metric = Metric::histogram(
    "ordered_held_seconds",
    "How long a committed event had been held by the store before a worker got it.",
    WAITING,
);
pub(super) const QUEUE_SECONDS: Metric = Metric::histogram(
    "ordered_queue_to_commit_seconds",
    "From the timestamp of the broker or the producer to the commit.",
    WAITING,
);
pub(super) const STORE_SECONDS: Metric = Metric {
    labels: &[("call", StoreCall::VALUES)],
    ..Metric::histogram(
        "ordered_store_seconds",
        "How long a call took to the store and back.",
        &[
            0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
            1.0, 5.0,
        ],
    )
};
pub(super) const STORE_FAILURES: Metric = Metric {
    labels: &[("call", StoreCall::VALUES)],
    ..Metric::counter(
        "ordered_store_failures_total",
        "Calls that the store did not answer; the worker makes them again.",
    )
};
pub(super) const BATCH_COMMANDS: Metric = Metric::histogram(
    "ordered_store_batch_commands",
    "Commands in a batch to the store.",
    &[
        1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
    ],
);
pub(super) const STORE_UP: Metric = Metric::gauge(
    "ordered_store_up",
    "1 while the store answers this process, 0 while it does not.",
);
pub(super) const BROKER_UP: Metric = Metric::gauge(
    "ordered_broker_up",
    "1 while the broker delivers to this process, 0 while it is unavailable.",
);
pub(super) const LAPSES: Metric = Metric::counter(
    "ordered_lease_lapses_total",
    "How often a worker came back after its lease had ended, when others may have had its keys.",
);
pub(super) const LANES: Metric = Metric::gauge("ordered_lanes", "Keys at work in this process.");
pub(super) const HALTED: Metric = Metric::gauge(
    "ordered_halted_keys",
    "Halted keys of the whole group, as this process last saw them.",
);
pub(super) const OLDEST_GAP: Metric = Metric::gauge(
    "ordered_oldest_gap_seconds",
    "How long the key of the group that has waited longest has waited for an event that has not come; 0 without one.",
);

pub(super) const BREAKER_OPEN: Metric = Metric::gauge(
    "ordered_breaker_open",
    "Workers of this process that start one run at a time, because most runs fail for the same cause.",
);

/// From what nobody notices to a day.
const WAITING: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0,
    3_600.0, 21_600.0, 86_400.0,
];

impl Metric {
    pub(crate) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: MetricKind::Counter,
            labels: &[],
            help,
        }
    }

    pub(crate) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            kind: MetricKind::Gauge,
            ..Self::counter(name, help)
        }
    }

    pub(crate) const fn histogram(
        name: &'static str,
        help: &'static str,
        buckets: &'static [f64],
    ) -> Self {
        Self {
            kind: MetricKind::Histogram { buckets },
            ..Self::counter(name, help)
        }
    }

    /// Tells the recorder what the metric is.
    pub(crate) fn describe(&self) {
        let unit = if self.name.ends_with("_seconds") {
            Unit::Seconds
        } else {
            Unit::Count
        };
        match self.kind {
            MetricKind::Counter => describe_counter!(self.name, unit, self.help),
            MetricKind::Gauge => describe_gauge!(self.name, unit, self.help),
            MetricKind::Histogram { .. } => describe_histogram!(self.name, unit, self.help),
        }
    }
}
