use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::backoff::RetryBackoff;
use super::telemetry::{StoreCall, Telemetry};
use crate::handler::WorkerLease;
use crate::store::{Group, StoreError, StoreErrorKind};
use crate::store::{Heartbeat, Session, Store};

/// The worker's lease as the worker itself can be sure of it: counted on its own monotonic clock, from before the
/// heartbeat was sent. It ends no later than the store thinks.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    term: watch::Receiver<Term>,
    session: Arc<watch::Sender<Session>>,
}

#[derive(Debug, Clone, Default)]
struct Term {
    end: Option<Instant>,
    lapses: u64,
    beat: Option<(Heartbeat, Instant)>,
    /// The session whose state was lost.
    lost: Option<Session>,
}

impl WorkerLease for Lease {
    fn is_good(&self) -> bool {
        self.term
            .borrow()
            .end
            .is_some_and(|end| Instant::now() < end)
    }

    /// What was owned before the last time may be another worker's.
    fn lapses(&self) -> u64 {
        self.term.borrow().lapses
    }
}

impl Lease {
    /// What the last heartbeat was answered, and when.
    pub(super) fn beat(&self) -> Option<(Heartbeat, Instant)> {
        self.term.borrow().beat
    }

    /// Whether a heartbeat of this session was told that its state is lost.
    pub(super) fn is_lost(&self, session: &Session) -> bool {
        self.term.borrow().lost.as_ref() == Some(session)
    }

    /// From now on heartbeats are sent for this session, the first at once.
    pub(super) fn set_session(&self, session: Session) {
        self.session.send_replace(session);
    }

    /// Waits for the next news of a heartbeat.
    ///
    /// Cancel safe: nothing is consumed but the news itself.
    pub(super) async fn changed(&mut self) {
        if self.term.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Keeps the worker's lease good.
pub(super) struct LeaseKeeper {
    pub(super) store: Arc<dyn Store>,
    pub(super) group: Group,
    pub(super) session: Session,
    pub(super) lease: Duration,
    pub(super) interval: Duration,
    pub(super) backoff: RetryBackoff,
    pub(super) telemetry: Arc<Telemetry>,
}

impl LeaseKeeper {
    /// The lease, and the heartbeats that keep it good for as long as they are polled. They end when the store refuses
    /// them.
    pub(super) fn start(self) -> (Lease, impl Future<Output = StoreError> + Send) {
        let (sender, term) = watch::channel(Term::default());
        let (sessions, session) = watch::channel(self.session.clone());
        let session_sender = Arc::new(sessions);
        let lease = Lease {
            term,
            session: session_sender,
        };
        (lease, self.beat(sender, session))
    }

    async fn beat(
        mut self,
        sender: watch::Sender<Term>,
        mut sessions: watch::Receiver<Session>,
    ) -> StoreError {
        loop {
            let session = sessions.borrow_and_update().clone();
            let before = Instant::now();
            let beat = self
                .store
                .heartbeat(&self.group, &session, self.lease)
                .await;
            let wait = match beat {
                Ok(beat) => {
                    if !self.backoff.is_fresh() {
                        info!("the store got a heartbeat again");
                    }
                    self.backoff.succeeded();
                    self.telemetry
                        .store_answered(StoreCall::Heartbeat, before.elapsed());
                    sender.send_modify(|term| self.renew(term, before, beat));
                    self.interval
                }
                Err(error) if error.kind() == StoreErrorKind::StateLost => {
                    sender.send_modify(|term| term.lost = Some(session));
                    self.interval
                }
                Err(error) if error.kind() == StoreErrorKind::Refused => return error,
                Err(error) => {
                    self.telemetry.store_failed(StoreCall::Heartbeat, &error);
                    if self.backoff.is_fresh() {
                        warn!(%error, "the store did not get the heartbeat; trying again");
                    }
                    let wait = self.backoff.next_wait();
                    self.backoff.failed();
                    wait.min(self.interval)
                }
            };
            tokio::select! {
                biased;
                Ok(()) = sessions.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn renew(&self, term: &mut Term, before: Instant, beat: Heartbeat) {
        let now = Instant::now();
        if term.end.is_some_and(|end| end <= now) {
            term.lapses += 1;
            self.telemetry.lapses.increment(1);
        }
        term.end = Some(before + self.lease);
        self.telemetry.health.lease_until(before + self.lease);
        term.beat = Some((beat, now));
    }
}
