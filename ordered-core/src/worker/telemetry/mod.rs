//! What the worker measures, and which log line an occurrence is worth.

mod label;
mod ledger;
mod log;
mod log_limit;
mod metric;

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, SharedString, counter, gauge, histogram};

pub use self::label::Outcome;
use self::label::Step;
pub(super) use self::label::StoreCall;
use self::ledger::Ledger;
use self::log_limit::LogLimit;
pub use self::metric::{METRICS, Metric, MetricKind};
use super::pitfalls::{AtStart, Pitfalls};
use super::{Health, WorkerEvent};
use crate::clock::wall_clock;
use crate::event::{EventId, Key};
use crate::protocol::{Millis, Policy, Start, WaitReason, Waiting};
use crate::store::Swept;
use crate::transport::TransportStatus;

/// Handles to the metrics of one worker, looked up once.
pub(super) struct Telemetry {
    pub(super) deliveries: Ledger,
    group: Arc<str>,
    /// The seq that a key begins with.
    first_seq: u64,
    /// Whether it waits for that.
    waits_for_first: bool,
    pub(super) health: Health,
    pub(super) pitfalls: Pitfalls,
    commits: AtomicU64,
    steps: [Counter; Step::VALUES.len()],
    pub(super) handler_seconds: Histogram,
    held_seconds: Histogram,
    queue_seconds: Histogram,
    store_seconds: [Histogram; StoreCall::VALUES.len()],
    store_failures: [Counter; StoreCall::VALUES.len()],
    pub(super) batch_commands: Histogram,
    store_up: Gauge,
    broker_up: Gauge,
    pub(super) lapses: Counter,
    lanes: Gauge,
    /// What this worker has put into `lanes`, which it shares with the other workers of the process.
    lanes_reported: AtomicU64,
    halted: Gauge,
    oldest_gap: Gauge,
    breaker_open: Gauge,
    breaker_is_open: AtomicBool,
    log_limit: LogLimit,
}

impl Telemetry {
    pub(super) fn new(group: &Arc<str>, policy: &Policy, health: Health) -> Self {
        METRICS.iter().for_each(Metric::describe);
        let label = || SharedString::from(Arc::clone(group));
        let of = |call: usize| StoreCall::VALUES[call];
        Self {
            deliveries: Ledger::new(&label),
            group: Arc::clone(group),
            first_seq: policy.first_seq,
            waits_for_first: policy.start == Start::FirstSeq,
            health,
            pitfalls: Pitfalls::default(),
            commits: AtomicU64::new(0),
            steps: array::from_fn(
                |step| counter!(metric::EVENTS.name, "group" => label(), "step" => Step::VALUES[step]),
            ),
            handler_seconds: histogram!(metric::HANDLER_SECONDS.name, "group" => label()),
            held_seconds: histogram!(metric::HELD_SECONDS.name, "group" => label()),
            queue_seconds: histogram!(metric::QUEUE_SECONDS.name, "group" => label()),
            store_seconds: array::from_fn(
                |call| histogram!(metric::STORE_SECONDS.name, "group" => label(), "call" => of(call)),
            ),
            store_failures: array::from_fn(
                |call| counter!(metric::STORE_FAILURES.name, "group" => label(), "call" => of(call)),
            ),
            batch_commands: histogram!(metric::BATCH_COMMANDS.name, "group" => label()),
            store_up: gauge!(metric::STORE_UP.name, "group" => label()),
            broker_up: gauge!(metric::BROKER_UP.name, "group" => label()),
            lapses: counter!(metric::LAPSES.name, "group" => label()),
            lanes: gauge!(metric::LANES.name, "group" => label()),
            lanes_reported: AtomicU64::new(0),
            halted: gauge!(metric::HALTED.name, "group" => label()),
            oldest_gap: gauge!(metric::OLDEST_GAP.name, "group" => label()),
            breaker_open: gauge!(metric::BREAKER_OPEN.name, "group" => label()),
            breaker_is_open: AtomicBool::new(false),
            log_limit: LogLimit::default(),
        }
    }

    pub(super) fn record(&self, occurrence: &WorkerEvent<'_>) {
        match occurrence {
            WorkerEvent::Received { event, .. } => self.pitfalls.received(event.key),
            WorkerEvent::Conflict { event, .. } => {
                let event = (event.key, event.seq.get(), event.id);
                self.pitfalls.conflict(&self.group, event);
            }
            _ => {}
        }
        if let Some(step) = step(occurrence) {
            self.steps[step as usize].increment(1);
        }
        if let Some(left_out) = self.log_limit.admits(occurrence) {
            log::line(&self.group, occurrence);
            if left_out > 0 {
                log::left_out(&self.group, left_out);
            }
        }
    }

    /// How long a committed event waited: in the store until this worker got it, and in all.
    pub(super) fn committed(
        &self,
        received_at: Millis,
        published_at: Option<Millis>,
        held_since: Option<Millis>,
    ) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        if let Some(since) = held_since {
            self.held_seconds.record(seconds(since, received_at));
        }
        if let Some(since) = published_at {
            self.queue_seconds.record(seconds(since, wall_clock()));
        }
    }

    /// Looks whether the broker delivers.
    pub(super) fn look_at_broker(&self) {
        let is_up = match self.health.broker_status() {
            Some(TransportStatus::Unavailable { .. }) | None => 0.0,
            Some(TransportStatus::Consuming) => 1.0,
        };
        self.broker_up.set(is_up);
    }

    /// What a sweep saw of the whole group.
    pub(super) fn swept(&self, swept: &Swept) {
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 keys")]
        self.halted.set(swept.halted as f64);
        let now = wall_clock();
        let gap = swept.oldest_gap.map_or(0.0, |since| seconds(since, now));
        self.oldest_gap.set(gap);
    }

    /// The store has answered, or refused, after this time.
    pub(super) fn store_answered(&self, call: StoreCall, took: Duration) {
        self.store_up.set(1.0);
        self.health.store_answered();
        self.store_seconds[call as usize].record(took);
    }

    pub(super) fn store_failed(&self, call: StoreCall, why: &dyn std::fmt::Display) {
        self.store_up.set(0.0);
        self.health.store_failed(why);
        self.store_failures[call as usize].increment(1);
    }

    /// Versions that were held are superseded. Their deliveries were counted when they were held.
    pub(super) fn superseded(&self, key: &Key, events: u64) {
        self.steps[Step::Superseded as usize].increment(events);
        log::superseded(&self.group, key, events);
    }

    /// Events that were held are late. Their deliveries were counted when they were held.
    pub(super) fn late(&self, key: &Key, events: u64) {
        self.steps[Step::Late as usize].increment(events);
        log::late(&self.group, key, events);
    }

    /// An event is held until then.
    pub(super) fn waits(&self, waiting: Waiting, event: (&Key, u64, &EventId)) {
        if waiting.why == WaitReason::Gap {
            let at_start = AtStart {
                commits: self.commits.load(Ordering::Relaxed),
                first_seq: self.first_seq,
            };
            let is_new = waiting.for_seq == self.first_seq && self.waits_for_first;
            self.pitfalls
                .waits_in_gap(&self.group, event, is_new.then_some(at_start));
        }
    }

    /// The worker's loop has turned, with so many keys at work.
    pub(super) fn turned(&self, keys: usize) {
        self.health
            .turned(keys, self.commits.load(Ordering::Relaxed));
        self.lanes(keys);
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody runs 2^52 lanes")]
    fn lanes(&self, now: usize) {
        let now = now as u64;
        let reported = self.lanes_reported.swap(now, Ordering::Relaxed);
        if reported != now {
            self.lanes.increment(now as f64 - reported as f64);
        }
    }

    /// Whether this worker paces its runs.
    pub(super) fn breaker(&self, open: bool) {
        let was_open = self.breaker_is_open.swap(open, Ordering::Relaxed);
        match (was_open, open) {
            (false, true) => self.breaker_open.increment(1.0),
            (true, false) => self.breaker_open.decrement(1.0),
            _ => {}
        }
    }

    /// The worker is at its end: nothing of it is at work, and what it did not settle the broker delivers again.
    pub(super) fn end(&self) {
        self.deliveries.close();
        self.lanes(0);
        self.breaker(false);
        // What this worker saw last is no news for long. Another one of the process says it again with its next sweep.
        self.halted.set(0.0);
        self.oldest_gap.set(0.0);
    }
}

/// A worker whose future is dropped has no other end. The last of its tasks has this, so that nothing is taken in
/// after.
impl Drop for Telemetry {
    fn drop(&mut self) {
        self.end();
    }
}

/// The clocks of several machines are in it: what seems to end before it began took no time.
fn seconds(since: Millis, now: Millis) -> f64 {
    Duration::from_millis(now.saturating_sub(since)).as_secs_f64()
}

/// The step that an occurrence is. What happens to a delivery is counted where it is settled.
fn step(occurrence: &WorkerEvent<'_>) -> Option<Step> {
    match occurrence {
        WorkerEvent::Started { .. } => Some(Step::Started),
        WorkerEvent::Committed { repeat: false, .. } => Some(Step::Committed),
        WorkerEvent::Committed { repeat: true, .. } => Some(Step::Repeated),
        WorkerEvent::Retrying { .. } => Some(Step::Retried),
        WorkerEvent::BatchSplit { .. } => Some(Step::BatchSplit),
        WorkerEvent::Halted { .. } => Some(Step::Halted),
        WorkerEvent::DeadLettered { .. } => Some(Step::DeadLettered),
        WorkerEvent::Fenced { .. } => Some(Step::Fenced),
        WorkerEvent::TakenOver { .. } => Some(Step::TakenOver),
        WorkerEvent::Received { .. }
        | WorkerEvent::Malformed { .. }
        | WorkerEvent::Held { .. }
        | WorkerEvent::Deferred { .. }
        | WorkerEvent::Duplicate { .. }
        | WorkerEvent::Stale { .. }
        | WorkerEvent::Rewound { .. }
        | WorkerEvent::Late { .. }
        | WorkerEvent::Superseded { .. }
        | WorkerEvent::Controlled { .. }
        | WorkerEvent::Conflict { .. } => None,
    }
}
