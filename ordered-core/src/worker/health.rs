//! Whether a worker does its work, for the probes of an orchestrator and for people.

mod report;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

pub use report::{HealthReport, NotReadyReason, WorkerPhase};

use crate::protocol::WorkerId;
use crate::transport::{Transport, TransportStatus};

/// A worker whose loop does not turn for so many leases is not alive: a heartbeat or a sweep comes several times in
/// one.
const LIVE_LEASES: u32 = 4;

/// How a worker is. Clones are the same; it outlives the worker, and then says how that ended.
#[derive(Clone)]
pub struct Health {
    shared: Arc<Shared>,
}

struct Shared {
    group: String,
    worker: WorkerId,
    lease: Duration,
    transport: Weak<dyn Transport>,
    // A std mutex: it is held to note or to read a few values.
    state: Mutex<State>,
}

struct State {
    phase: WorkerPhase,
    /// Since when the store does not answer, and what it said last.
    store_down: Option<(Instant, String)>,
    /// Until when the lease is good, once there was one.
    lease_until: Option<Instant>,
    last_turn: Instant,
    commits: u64,
    /// Since when there are events and none was committed.
    without_commit: Option<Instant>,
}

impl Health {
    pub(super) fn new(
        group: &str,
        worker: WorkerId,
        lease: Duration,
        transport: &Arc<dyn Transport>,
    ) -> Self {
        let state = State {
            phase: WorkerPhase::Starting,
            store_down: None,
            lease_until: None,
            last_turn: Instant::now(),
            commits: 0,
            without_commit: None,
        };
        Self {
            shared: Arc::new(Shared {
                group: group.to_owned(),
                worker,
                lease,
                transport: Arc::downgrade(transport),
                state: Mutex::new(state),
            }),
        }
    }

    /// How the worker is now.
    #[must_use]
    pub fn report(&self) -> HealthReport {
        let now = Instant::now();
        let broker = self.broker_status();
        let state = self.state();
        let stuck_for = now.saturating_duration_since(state.last_turn);
        let stands_still =
            state.phase == WorkerPhase::Running && stuck_for > self.shared.lease * LIVE_LEASES;
        let mut not_ready = Vec::new();
        match &state.phase {
            WorkerPhase::Running => {}
            WorkerPhase::Starting => not_ready.push(NotReadyReason::Starting),
            WorkerPhase::Draining => not_ready.push(NotReadyReason::Draining),
            WorkerPhase::Ended { error } => not_ready.push(NotReadyReason::Ended {
                error: error.clone(),
            }),
        }
        let ended = matches!(state.phase, WorkerPhase::Ended { .. });
        if !ended {
            if let Some((since, error)) = &state.store_down {
                not_ready.push(NotReadyReason::StoreUnavailable {
                    lasts: now.saturating_duration_since(*since),
                    error: error.clone(),
                });
            }
            if state.lease_until.is_some_and(|until| until <= now) {
                not_ready.push(NotReadyReason::NoLease);
            }
            if let Some(TransportStatus::Unavailable { lasts, error }) = broker {
                not_ready.push(NotReadyReason::BrokerUnavailable { lasts, error });
            }
        }
        if stands_still {
            not_ready.push(NotReadyReason::Stuck { lasts: stuck_for });
        }
        HealthReport {
            group: self.shared.group.clone(),
            worker: self.shared.worker.to_string(),
            phase: state.phase.clone(),
            not_ready,
            without_commit: state
                .without_commit
                .map(|since| now.saturating_duration_since(since))
                .filter(|lasts| !lasts.is_zero()),
            is_live: !ended && !stands_still,
        }
    }

    /// Whether the broker delivers; nothing where the transport is gone.
    pub(super) fn broker_status(&self) -> Option<TransportStatus> {
        self.shared
            .transport
            .upgrade()
            .map(|transport| transport.status())
    }

    pub(super) fn enter(&self, phase: WorkerPhase) {
        let mut state = self.state();
        state.last_turn = Instant::now();
        state.phase = phase;
    }

    pub(super) fn store_answered(&self) {
        self.state().store_down = None;
    }

    pub(super) fn store_failed(&self, error: &dyn fmt::Display) {
        let mut state = self.state();
        let since = state.store_down.take().map(|(since, _)| since);
        state.store_down = Some((since.unwrap_or_else(Instant::now), error.to_string()));
    }

    pub(super) fn lease_until(&self, until: Instant) {
        self.state().lease_until = Some(until);
    }

    /// The loop has turned, with so many keys at work and so many commits since the start.
    pub(super) fn turned(&self, keys: usize, commits: u64) {
        let now = Instant::now();
        let mut state = self.state();
        state.last_turn = now;
        if keys == 0 {
            state.without_commit = None;
        } else if state.commits != commits || state.without_commit.is_none() {
            state.without_commit = Some(now);
        }
        state.commits = commits;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.report()).finish()
    }
}

/// Notes that the worker is gone when its future is dropped.
pub(super) struct EndedGuard(pub(super) Health);

impl EndedGuard {
    pub(super) fn with(self, error: Option<String>) {
        self.0.enter(WorkerPhase::Ended { error });
    }
}

impl Drop for EndedGuard {
    fn drop(&mut self) {
        if !matches!(self.0.state().phase, WorkerPhase::Ended { .. }) {
            let error = Some("its future was dropped".to_owned());
            self.0.enter(WorkerPhase::Ended { error });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::MemoryBroker;

    const LEASE: Duration = Duration::from_secs(15);

    fn running() -> (Arc<dyn Transport>, Health) {
        let transport: Arc<dyn Transport> = Arc::new(MemoryBroker::new().consumer());
        let health = Health::new("orders", WorkerId::new("w"), LEASE, &transport);
        health.enter(WorkerPhase::Running);
        health.lease_until(Instant::now() + LEASE);
        (transport, health)
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_consumes_is_ready_and_alive() {
        let (_transport, health) = running();
        let report = health.report();
        assert!(report.is_ready() && report.is_live());
        assert_eq!(report.to_string(), "group orders, worker w: consuming");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_makes_it_unready_until_it_does() {
        let (_transport, health) = running();
        health.store_failed(&"no route");
        tokio::time::advance(Duration::from_secs(3)).await;
        health.store_failed(&"refused");
        let report = health.report();
        assert!(!report.is_ready() && report.is_live());
        let lasts = Duration::from_secs(3);
        let error = "refused".to_owned();
        assert_eq!(
            report.not_ready,
            [NotReadyReason::StoreUnavailable { lasts, error }]
        );
        health.store_answered();
        assert!(health.report().is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_over_makes_it_unready() {
        let (_transport, health) = running();
        tokio::time::advance(LEASE).await;
        health.turned(0, 0);
        assert_eq!(health.report().not_ready, [NotReadyReason::NoLease]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_not_alive() {
        let (_transport, health) = running();
        let long = LEASE * LIVE_LEASES + Duration::from_secs(1);
        tokio::time::advance(long).await;
        health.lease_until(Instant::now() + LEASE);
        let report = health.report();
        assert_eq!(report.not_ready, [NotReadyReason::Stuck { lasts: long }]);
        assert!(!report.is_live());
        health.turned(0, 0);
        assert!(health.report().is_live());
        // While it drains, it may wait for a handler alone.
        health.enter(WorkerPhase::Draining);
        tokio::time::advance(long).await;
        assert!(health.report().is_live());
    }

    #[tokio::test(start_paused = true)]
    async fn events_without_a_commit_are_told_and_commits_end_that() {
        let (_transport, health) = running();
        health.turned(3, 0);
        tokio::time::advance(Duration::from_secs(5)).await;
        health.turned(3, 0);
        let report = health.report();
        assert_eq!(report.without_commit, Some(Duration::from_secs(5)));
        assert!(report.is_ready());
        assert!(report.to_string().contains("none was committed for 5 s"));
        health.turned(3, 1);
        assert_eq!(health.report().without_commit, None);
        tokio::time::advance(Duration::from_secs(5)).await;
        health.turned(0, 1);
        assert_eq!(health.report().without_commit, None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_ended_says_why() {
        let (transport, health) = running();
        EndedGuard(health.clone()).with(Some("the transport: refused".into()));
        drop(transport);
        let report = health.report();
        assert!(!report.is_live() && !report.is_ready());
        assert!(
            report
                .to_string()
                .ends_with("it has ended: the transport: refused")
        );
        let (_transport, health) = running();
        drop(EndedGuard(health.clone()));
        assert!(!health.report().is_live());
    }
}
