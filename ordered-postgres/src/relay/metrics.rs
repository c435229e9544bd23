//! What the relay counts and measures. No label names a key, a seq or an event.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

const PUBLISHED: &str = "ordered_relay_published_total";
const FAILURES: &str = "ordered_relay_failures_total";
const PUBLISH_SECONDS: &str = "ordered_relay_publish_seconds";
const LAGGING: &str = "ordered_relay_lagging_keys";
const SHARDS: &str = "ordered_relay_shards";
const PENDING: &str = "ordered_relay_pending_events";
const OLDEST: &str = "ordered_relay_oldest_pending_seconds";
const HORIZON: &str = "ordered_relay_oldest_transaction_seconds";
const REPAIRED: &str = "ordered_relay_repaired_total";
const REMOVED: &str = "ordered_relay_removed_total";

/// What failed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failed {
    Database,
    Broker,
    Key,
}

impl Failed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Broker => "broker",
            Self::Key => "key",
        }
    }
}

pub(super) fn describe() {
    let count = Unit::Count;
    describe_counter!(
        PUBLISHED,
        count,
        "Events that were published and confirmed, repeated ones included."
    );
    describe_counter!(
        FAILURES,
        count,
        "Failures by what failed: the database, the broker, or the publication of one key."
    );
    describe_histogram!(
        PUBLISH_SECONDS,
        Unit::Seconds,
        "How long it took until the broker had confirmed a batch."
    );
    describe_gauge!(
        LAGGING,
        count,
        "Keys of this relay that are behind, most of them because their publication failed."
    );
    describe_gauge!(
        SHARDS,
        count,
        "Of the 16 shards of the outbox, how many this relay has."
    );
    describe_gauge!(
        PENDING,
        count,
        "Staged and committed events that are not published yet, of all relays; counted up to 100000."
    );
    describe_gauge!(
        OLDEST,
        Unit::Seconds,
        "How long the oldest of them has waited; 0 without one."
    );
    describe_gauge!(
        HORIZON,
        Unit::Seconds,
        "How long the oldest transaction of the server has been open that holds events back; 0 without one."
    );
    describe_counter!(
        REPAIRED,
        count,
        "Seqs that were asked for again, by what came of them."
    );
    describe_counter!(
        REMOVED,
        count,
        "Published events that were removed after the retention."
    );
}

pub(super) fn published(events: usize, took: Duration) {
    counter!(PUBLISHED).increment(events as u64);
    histogram!(PUBLISH_SECONDS).record(took.as_secs_f64());
}

pub(super) fn failed(what: Failed) {
    counter!(FAILURES, "what" => what.as_str()).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
pub(super) fn has(shards: usize, lagging: usize) {
    gauge!(SHARDS).set(shards as f64);
    gauge!(LAGGING).set(lagging as f64);
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
pub(super) fn pending(events: i64, oldest: f64, transaction: f64) {
    gauge!(PENDING).set(events as f64);
    gauge!(OLDEST).set(oldest);
    gauge!(HORIZON).set(transaction);
}

pub(super) fn repaired(outcome: &'static str, seqs: u64) {
    counter!(REPAIRED, "outcome" => outcome).increment(seqs);
}

pub(super) fn removed(events: u64) {
    counter!(REMOVED).increment(events);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_explains_every_metric() {
        let guide = include_str!("../../../docs/outbox.md");
        let all = [
            PUBLISHED,
            FAILURES,
            PUBLISH_SECONDS,
            LAGGING,
            SHARDS,
            PENDING,
            OLDEST,
            HORIZON,
            REPAIRED,
            REMOVED,
        ];
        for name in all {
            assert!(guide.contains(name), "{name}");
        }
    }
}
