use tracing::{debug, error, info, trace, warn};

use crate::worker::Occurrence;

// Keys and ids are recorded as texts, which subscribers escape: whoever publishes cannot forge a line of the log.

/// The levels: what a person must see to, what a person should look at, what shows what the worker does.
pub(super) fn line(occurrence: &Occurrence<'_>) {
    match occurrence {
        Occurrence::Malformed { reason } => {
            warn!(reason = reason.text, "dead-lettered a malformed event")
        }
        Occurrence::Conflict { event, recorded } => {
            warn!(key = event.key.as_str(), seq = %event.seq, id = event.id.as_str(), recorded = recorded.map(|id| id.as_str()), "dead-lettered an event: another one has its seq");
        }
        Occurrence::Deferred { event, why, delay } => {
            warn!(key = event.key.as_str(), seq = %event.seq, ?why, ?delay, "deferred an event: it stays with the broker");
        }
        Occurrence::Retrying {
            event,
            attempt,
            error,
            wait,
        } => {
            warn!(key = event.key.as_str(), seq = %event.seq, attempt, error, ?wait, "the handler failed, and will be tried again");
        }
        Occurrence::Parted {
            event,
            events,
            error,
        } => {
            warn!(key = event.key.as_str(), seq = %event.seq, events, error, "a run of several events failed: they run again one at a time");
        }
        Occurrence::Halted {
            event,
            attempts,
            error,
        } => {
            error!(key = event.key.as_str(), seq = %event.seq, attempts, error, "the key is halted: the handler failed for good");
        }
        Occurrence::DeadLettered {
            event,
            attempts,
            error,
        } => {
            warn!(key = event.key.as_str(), seq = %event.seq, attempts, error, "put an event aside: the handler failed for good");
        }
        Occurrence::Late { event } => {
            warn!(key = event.key.as_str(), seq = %event.seq, id = event.id.as_str(), "an event came after its seq was passed over");
        }
        Occurrence::Controlled { key, control } => {
            info!(
                key = key.as_str(),
                ?control,
                "a producer said what will not come"
            )
        }
        Occurrence::TakenOver {
            event,
            attempt,
            fence,
        } => {
            info!(key = event.key.as_str(), seq = %event.seq, attempt, %fence, "took over a key");
        }
        Occurrence::Fenced { event } => {
            warn!(key = event.key.as_str(), seq = %event.seq, "not committed: the grant is over");
        }
        Occurrence::Held { event, waiting } => {
            debug!(key = event.key.as_str(), seq = %event.seq, %waiting, "held an event");
        }
        Occurrence::Stale { event } => {
            warn!(key = event.key.as_str(), seq = %event.seq, id = event.id.as_str(), "an event came whose seq is committed, and whose id is not remembered: it comes later than `dedup_ttl`, or its producer numbers anew");
        }
        Occurrence::Duplicate { event } => {
            debug!(key = event.key.as_str(), seq = %event.seq, "dropped an event that was committed before");
        }
        Occurrence::Received { event, .. }
        | Occurrence::Started { event, .. }
        | Occurrence::Committed { event, .. } => {
            trace!(key = event.key.as_str(), seq = %event.seq, ?occurrence, "");
        }
    }
}

/// Lines like the last one were not logged.
pub(super) fn left_out(lines: u64) {
    warn!(
        lines,
        "so many lines with the same cause as the last one were left out"
    );
}
