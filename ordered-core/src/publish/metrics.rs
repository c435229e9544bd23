//! What publishers count and measure. No label names a key, a seq or an event.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::NotPublishedKind;
use crate::transport::TransportErrorKind;
use crate::worker::Metric;

/// All metrics of publishers.
pub const METRICS: &[Metric] = &[
    PUBLISHED,
    FAILURES,
    REPORTED,
    IN_FLIGHT,
    BLOCKED,
    ATTEMPT_SECONDS,
];

const PUBLISHED: Metric = Metric::counter(
    "ordered_publisher_published_total",
    "Events that the broker has confirmed.",
);
const FAILURES: Metric = Metric {
    labels: &[("kind", KINDS)],
    ..Metric::counter(
        "ordered_publisher_failures_total",
        "Attempts of which something was not confirmed, by the kind of the last failure.",
    )
};
const REPORTED: Metric = Metric {
    labels: &[("reason", NotPublishedKind::VALUES)],
    ..Metric::counter(
        "ordered_publisher_reported_total",
        "Events that were given back to the application unpublished, by the reason.",
    )
};
const IN_FLIGHT: Metric = Metric::gauge(
    "ordered_publisher_in_flight",
    "Events that are with publishers of this process, neither confirmed nor reported.",
);
const BLOCKED: Metric = Metric::gauge(
    "ordered_publisher_blocked",
    "Publishers of this process of which nothing gets through at the moment.",
);
const ATTEMPT_SECONDS: Metric = Metric::histogram(
    "ordered_publisher_attempt_seconds",
    "How long it took until the broker had answered for all events of an attempt.",
    &[
        0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        30.0,
    ],
);

const KINDS: &[&str] = &[UNAVAILABLE, BUSY, REFUSED];
const UNAVAILABLE: &str = "unavailable";
const BUSY: &str = "busy";
const REFUSED: &str = "refused";

/// What has not happened is a zero, and no absence: otherwise its first time would be no increase.
pub(super) fn describe() {
    METRICS.iter().for_each(Metric::describe);
    counter!(PUBLISHED.name).increment(0);
    for kind in KINDS {
        counter!(FAILURES.name, "kind" => *kind).increment(0);
    }
    for reason in NotPublishedKind::VALUES {
        counter!(REPORTED.name, "reason" => *reason).increment(0);
    }
    gauge!(IN_FLIGHT.name).increment(0.0);
    gauge!(BLOCKED.name).increment(0.0);
}

pub(super) fn published(events: usize) {
    counter!(PUBLISHED.name).increment(events as u64);
}

pub(super) fn attempt(took: Duration) {
    histogram!(ATTEMPT_SECONDS.name).record(took.as_secs_f64());
}

pub(super) fn failed(kind: TransportErrorKind) {
    let kind = match kind {
        TransportErrorKind::Unavailable => UNAVAILABLE,
        TransportErrorKind::Busy => BUSY,
        TransportErrorKind::Fatal => REFUSED,
    };
    counter!(FAILURES.name, "kind" => kind).increment(1);
}

pub(super) fn reported(kind: NotPublishedKind) {
    counter!(REPORTED.name, "reason" => kind.as_str()).increment(1);
}

pub(super) fn enters() {
    gauge!(IN_FLIGHT.name).increment(1.0);
}

pub(super) fn leaves() {
    gauge!(IN_FLIGHT.name).decrement(1.0);
}

pub(super) fn blocked(is: bool) {
    if is {
        gauge!(BLOCKED.name).increment(1.0);
    } else {
        gauge!(BLOCKED.name).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_explains_every_metric_and_every_value_of_a_label() {
        let guide = include_str!("../../../docs/publishing.md");
        for metric in METRICS {
            assert!(guide.contains(metric.name), "{}", metric.name);
            for value in metric.labels.iter().flat_map(|(_, values)| *values) {
                let (name, value) = (metric.name, format!("`{value}`"));
                assert!(guide.contains(&value), "{name}: {value}");
            }
        }
    }
}
