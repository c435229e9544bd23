//! What sequencers count and measure. No label names a key, a seq or an event.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::SequencerStatus;

const STAGED: &str = "ordered_sequencer_staged_total";
const SETTLED: &str = "ordered_sequencer_settled_total";
const KEPT: &str = "ordered_sequencer_kept_events";
const KEPT_BYTES: &str = "ordered_sequencer_kept_bytes";
const FAILURES: &str = "ordered_sequencer_failures_total";

/// What failed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failed {
    Redis,
    Key,
}

impl Failed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Key => "key",
        }
    }
}

pub(super) fn describe() {
    let count = Unit::Count;
    describe_counter!(STAGED, count, "Events that this process has numbered.");
    describe_counter!(
        SETTLED,
        count,
        "Events that this process has published, and of which it is written down."
    );
    describe_gauge!(
        KEPT,
        count,
        "Events of the sequencer, of all processes, that are numbered and not confirmed."
    );
    describe_gauge!(KEPT_BYTES, Unit::Bytes, "What these have in Redis.");
    describe_counter!(
        FAILURES,
        count,
        "Failures by what failed: a call to Redis, or the publication of one key."
    );
}

pub(super) fn staged(events: usize) {
    counter!(STAGED).increment(events as u64);
}

pub(super) fn settled(events: u64) {
    counter!(SETTLED).increment(events);
}

pub(super) fn failed(what: Failed) {
    counter!(FAILURES, "what" => what.as_str()).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
pub(super) fn kept(status: SequencerStatus) {
    gauge!(KEPT).set(status.events as f64);
    gauge!(KEPT_BYTES).set(status.bytes as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_explains_every_metric() {
        let guide = include_str!("../../../docs/publishing.md");
        for name in [STAGED, SETTLED, KEPT, KEPT_BYTES, FAILURES] {
            assert!(guide.contains(name), "{name}");
        }
    }
}
