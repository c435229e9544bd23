use std::time::Duration;

use tracing::{debug, error, info, trace, warn};

use crate::event::Key;
use crate::readable::span;
use crate::worker::WorkerEvent;

// Keys and ids are recorded as texts, which subscribers escape: whoever publishes cannot forge a line of the log.

/// The levels: what a person must see to, what a person should look at, what shows what the worker does.
pub(super) fn line(group: &str, occurrence: &WorkerEvent<'_>) {
    match occurrence {
        WorkerEvent::Malformed { reason } => {
            warn!(
                group,
                reason = reason.text,
                "dead-lettered a malformed event"
            )
        }
        WorkerEvent::Conflict { event, recorded } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                recorded = recorded.map(|id| id.as_str()),
                "dead-lettered an event: another one has its seq"
            );
        }
        WorkerEvent::Deferred { event, why, delay } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                ?why, delay = readable(*delay), "deferred an event: it stays with the broker"
            );
        }
        WorkerEvent::Retrying {
            event,
            attempt,
            error,
            wait,
        } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                attempt, error, wait = readable(*wait),
                "the handler failed, and will be tried again"
            );
        }
        WorkerEvent::BatchSplit {
            event,
            events,
            error,
        } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                events, error, "a run of several events failed: they run again one at a time"
            );
        }
        WorkerEvent::Halted {
            event,
            attempts,
            error,
        } => {
            error!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                attempts, error, "the key is halted: the handler failed permanently"
            );
        }
        WorkerEvent::DeadLettered {
            event,
            attempts,
            error,
        } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                attempts, error, "dead-lettered an event: the handler failed permanently"
            );
        }
        WorkerEvent::Late { event } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                "an event came after its seq was passed over"
            );
        }
        WorkerEvent::Controlled { key, control } if control.is_frequent() => {
            debug!(
                group,
                key = key.as_str(),
                ?control,
                "a producer showed its clock"
            );
        }
        WorkerEvent::Controlled { key, control } => {
            info!(
                group,
                key = key.as_str(),
                ?control,
                "a producer said what will not come"
            )
        }
        WorkerEvent::TakenOver {
            event,
            attempt,
            fence,
        } => {
            info!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                attempt, %fence, "took over a key"
            );
        }
        WorkerEvent::Fenced { event } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                "not committed: the grant is over"
            );
        }
        WorkerEvent::Held { event, waiting } => {
            debug!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                %waiting, "held an event"
            );
        }
        WorkerEvent::Stale { event } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                "an event came whose seq is committed, and whose id is not remembered: it comes later than \
                 `dedup_ttl`, or its producer numbers anew"
            );
        }
        WorkerEvent::Rewound { event } => {
            debug!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                "dropped an event that was read again on purpose: its seq is committed"
            );
        }
        WorkerEvent::Superseded { event } => {
            debug!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                "dropped a version that is superseded"
            );
        }
        WorkerEvent::Duplicate { event } => {
            debug!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                "dropped an event that was committed before"
            );
        }
        WorkerEvent::Committed {
            event,
            repeat: true,
        } => {
            warn!(
                group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(),
                "an event was not handled, because its id was committed under another seq of the key: it was \
                 published twice, or different events have one id"
            );
        }
        WorkerEvent::Received { event, .. }
        | WorkerEvent::Started { event, .. }
        | WorkerEvent::Committed { event, .. } => {
            trace!(group, key = event.key.as_str(), seq = %event.seq, event_id = event.id.as_str(), ?occurrence, "");
        }
    }
}

/// Versions that were held were taken out of the mailbox.
pub(super) fn superseded(group: &str, key: &Key, events: u64) {
    debug!(
        group,
        key = key.as_str(),
        events,
        "dropped held versions that are superseded"
    );
}

/// Events that were held belong before what has run.
pub(super) fn late(group: &str, key: &Key, events: u64) {
    warn!(
        group,
        key = key.as_str(),
        events,
        "held events came after events of a later time had run: they were dead-lettered in the store, or dropped"
    );
}

fn readable(duration: Duration) -> String {
    span(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Lines like the last one were not logged.
pub(super) fn left_out(group: &str, lines: u64) {
    warn!(
        group,
        lines, "so many lines with the same cause as the last one were left out"
    );
}
