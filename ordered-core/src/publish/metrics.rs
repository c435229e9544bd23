//! What publishers count and measure. No label names a key, a seq or an event.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::NotPublishedKind;
use crate::transport::TransportErrorKind;

const PUBLISHED: &str = "ordered_publisher_published_total";
const FAILURES: &str = "ordered_publisher_failures_total";
const REPORTED: &str = "ordered_publisher_reported_total";
const IN_FLIGHT: &str = "ordered_publisher_in_flight";
const HELD_UP: &str = "ordered_publisher_held_up";
const ATTEMPT_SECONDS: &str = "ordered_publisher_attempt_seconds";

pub(super) fn describe() {
    let count = Unit::Count;
    describe_counter!(PUBLISHED, count, "Events that the broker has confirmed.");
    describe_counter!(
        FAILURES,
        count,
        "Attempts of which something was not confirmed, by the kind of the last failure: unavailable, busy, refused."
    );
    describe_counter!(
        REPORTED,
        count,
        "Events that were given back to the application unpublished, by the reason."
    );
    describe_gauge!(
        IN_FLIGHT,
        count,
        "Events that are with publishers of this process, neither confirmed nor reported."
    );
    describe_gauge!(
        HELD_UP,
        count,
        "Publishers of this process of which nothing gets through at the moment."
    );
    describe_histogram!(
        ATTEMPT_SECONDS,
        Unit::Seconds,
        "How long it took until the broker had answered for all events of an attempt."
    );
}

pub(super) fn published(events: usize) {
    counter!(PUBLISHED).increment(events as u64);
}

pub(super) fn attempt(took: Duration) {
    histogram!(ATTEMPT_SECONDS).record(took.as_secs_f64());
}

pub(super) fn failed(kind: TransportErrorKind) {
    let kind = match kind {
        TransportErrorKind::Unavailable => "unavailable",
        TransportErrorKind::Busy => "busy",
        TransportErrorKind::Fatal => "refused",
    };
    counter!(FAILURES, "kind" => kind).increment(1);
}

pub(super) fn reported(kind: NotPublishedKind) {
    counter!(REPORTED, "reason" => kind.as_str()).increment(1);
}

pub(super) fn enters() {
    gauge!(IN_FLIGHT).increment(1.0);
}

pub(super) fn leaves() {
    gauge!(IN_FLIGHT).decrement(1.0);
}

pub(super) fn held_up(is: bool) {
    if is {
        gauge!(HELD_UP).increment(1.0);
    } else {
        gauge!(HELD_UP).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_explains_every_metric() {
        let guide = include_str!("../../../docs/publishing.md");
        for name in [
            PUBLISHED,
            FAILURES,
            REPORTED,
            IN_FLIGHT,
            HELD_UP,
            ATTEMPT_SECONDS,
        ] {
            assert!(guide.contains(name), "{name}");
        }
    }
}
