//! The names of all metrics of the worker, and which log line an occurrence is worth.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tracing::{debug, error, trace, warn};

use super::Occurrence;

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
}

const OUTCOMES: [&str; 12] = [
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
        }
    }

    pub(super) fn record(&self, occurrence: &Occurrence<'_>) {
        self.outcomes[outcome(occurrence)].increment(1);
        log(occurrence);
    }
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
        Occurrence::Deferred {
            event,
            limit,
            delay,
        } => {
            warn!(key = %event.key, seq = %event.seq, %limit, ?delay, "deferred an event: no room to hold it");
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
