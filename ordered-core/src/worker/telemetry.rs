//! The names of all metrics of the worker, and which log line an occurrence is worth.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tracing::{debug, error, info, trace, warn};

use super::Occurrence;
use crate::clock::wall_clock;
use crate::protocol::Millis;
use crate::store::Swept;

/// Events by what became of them.
const EVENTS: &str = "ordered_events_total";
/// Seconds a handler ran.
const HANDLER_SECONDS: &str = "ordered_handler_seconds";
/// Seconds a batch took to the store and back.
const STORE_SECONDS: &str = "ordered_store_seconds";
/// Commands in a batch to the store.
const BATCH_COMMANDS: &str = "ordered_store_batch_commands";
/// Keys that this worker runs now.
const LANES: &str = "ordered_lanes";
/// Seconds an event waited in the store.
const HELD_SECONDS: &str = "ordered_held_seconds";
/// Seconds from the broker's or producer's timestamp to the commit.
const QUEUE_SECONDS: &str = "ordered_queue_to_commit_seconds";
/// Keys that are halted, in the whole group.
const HALTED: &str = "ordered_halted_keys";
/// Seconds the longest-waiting key of the group has waited for an event that has not come.
const OLDEST_GAP: &str = "ordered_oldest_gap_seconds";
/// Whether the store answers: 1 or 0.
const STORE_UP: &str = "ordered_store_up";

/// Handles to the metrics of one worker, looked up once.
pub(super) struct Telemetry {
    outcomes: [Counter; OUTCOMES.len()],
    pub(super) handler_seconds: Histogram,
    pub(super) store_seconds: Histogram,
    pub(super) batch_commands: Histogram,
    pub(super) lanes: Gauge,
    pub(super) store_up: Gauge,
    held_seconds: Histogram,
    queue_seconds: Histogram,
    halted: Gauge,
    oldest_gap: Gauge,
}

const OUTCOMES: [&str; 16] = [
    "received",
    "malformed",
    "held",
    "deferred",
    "duplicate",
    "stale",
    "conflict",
    "started",
    "committed",
    "retried",
    "halted",
    "fenced",
    "late",
    "controlled",
    "dead_lettered",
    "taken_over",
];

impl Telemetry {
    pub(super) fn new(group: &Arc<str>) -> Self {
        let label = || metrics::SharedString::from(Arc::clone(group));
        Self {
            outcomes: OUTCOMES
                .map(|outcome| counter!(EVENTS, "group" => label(), "outcome" => outcome)),
            handler_seconds: histogram!(HANDLER_SECONDS, "group" => label()),
            store_seconds: histogram!(STORE_SECONDS, "group" => label()),
            batch_commands: histogram!(BATCH_COMMANDS, "group" => label()),
            lanes: gauge!(LANES, "group" => label()),
            store_up: gauge!(STORE_UP, "group" => label()),
            held_seconds: histogram!(HELD_SECONDS, "group" => label()),
            queue_seconds: histogram!(QUEUE_SECONDS, "group" => label()),
            halted: gauge!(HALTED, "group" => label()),
            oldest_gap: gauge!(OLDEST_GAP, "group" => label()),
        }
    }

    /// How long a committed event waited: in the store, and in all.
    pub(super) fn committed(&self, published_at: Option<Millis>, held_since: Option<Millis>) {
        if published_at.is_none() && held_since.is_none() {
            return;
        }
        let now = wall_clock();
        if let Some(since) = held_since {
            self.held_seconds.record(seconds(since, now));
        }
        if let Some(since) = published_at {
            self.queue_seconds.record(seconds(since, now));
        }
    }

    /// What a sweep saw of the whole group.
    pub(super) fn swept(&self, swept: &Swept) {
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 keys")]
        self.halted.set(swept.halted as f64);
        self.oldest_gap.set(
            swept
                .oldest_gap
                .map_or(0.0, |since| seconds(since, wall_clock())),
        );
    }

    pub(super) fn record(&self, occurrence: &Occurrence<'_>) {
        self.outcomes[outcome(occurrence)].increment(1);
        log(occurrence);
    }
}

/// The clocks of several machines are in it: what seems to end before it began took no time.
fn seconds(since: Millis, now: Millis) -> f64 {
    Duration::from_millis(now.saturating_sub(since)).as_secs_f64()
}

fn outcome(occurrence: &Occurrence<'_>) -> usize {
    match occurrence {
        Occurrence::Received { .. } => 0,
        Occurrence::Malformed { .. } => 1,
        Occurrence::Held { .. } => 2,
        Occurrence::Deferred { .. } => 3,
        Occurrence::Duplicate { .. } => 4,
        Occurrence::Stale { .. } => 5,
        Occurrence::Conflict { .. } => 6,
        Occurrence::Started { .. } => 7,
        Occurrence::Committed { .. } => 8,
        Occurrence::Retrying { .. } => 9,
        Occurrence::Halted { .. } => 10,
        Occurrence::Fenced { .. } => 11,
        Occurrence::Late { .. } => 12,
        Occurrence::Controlled { .. } => 13,
        Occurrence::DeadLettered { .. } => 14,
        Occurrence::TakenOver { .. } => 15,
    }
}

fn log(occurrence: &Occurrence<'_>) {
    match occurrence {
        Occurrence::Malformed { reason } => {
            warn!(reason = reason.text, "dead-lettered a malformed event")
        }
        Occurrence::Conflict { event, recorded } => {
            warn!(key = %event.key, seq = %event.seq, id = %event.id, %recorded, "dead-lettered an event: another one has its seq");
        }
        Occurrence::Deferred { event, why, delay } => {
            warn!(key = %event.key, seq = %event.seq, ?why, ?delay, "deferred an event: it stays with the broker");
        }
        Occurrence::Retrying {
            event,
            attempt,
            error,
            wait,
        } => {
            warn!(key = %event.key, seq = %event.seq, attempt, error, ?wait, "the handler failed, and will be tried again");
        }
        Occurrence::Halted {
            event,
            attempts,
            error,
        } => {
            error!(key = %event.key, seq = %event.seq, attempts, error, "the key is halted: the handler failed for good");
        }
        Occurrence::DeadLettered {
            event,
            attempts,
            error,
        } => {
            warn!(key = %event.key, seq = %event.seq, attempts, error, "put an event aside: the handler failed for good");
        }
        Occurrence::Late { event } => {
            warn!(key = %event.key, seq = %event.seq, id = %event.id, "an event came after its seq was passed over");
        }
        Occurrence::Controlled { key, control } => {
            info!(%key, ?control, "a producer said what will not come")
        }
        Occurrence::TakenOver {
            event,
            attempt,
            fence,
        } => {
            info!(key = %event.key, seq = %event.seq, attempt, %fence, "took over a key");
        }
        Occurrence::Fenced { event } => {
            warn!(key = %event.key, seq = %event.seq, "not committed: another worker has the key");
        }
        Occurrence::Held { event, waiting } => {
            debug!(key = %event.key, seq = %event.seq, %waiting, "held an event");
        }
        Occurrence::Duplicate { event } | Occurrence::Stale { event } => {
            debug!(key = %event.key, seq = %event.seq, "dropped an event that was committed before");
        }
        Occurrence::Received { event, .. }
        | Occurrence::Started { event, .. }
        | Occurrence::Committed { event, .. } => {
            trace!(key = %event.key, seq = %event.seq, ?occurrence, "");
        }
    }
}
