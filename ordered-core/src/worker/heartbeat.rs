use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::backoff::Tries;
use super::telemetry::{StoreCall, Telemetry};
use crate::protocol::WorkerId;
use crate::store::{Group, Store};

/// The worker's lease as the worker itself can be sure of it: counted on its own monotonic clock, from before the
/// heartbeat was sent. It ends no later than the store thinks.
#[derive(Debug, Clone)]
pub(super) struct Lease(watch::Receiver<Term>);

#[derive(Debug, Clone, Copy, Default)]
struct Term {
    end: Option<Instant>,
    lapses: u64,
}

impl Lease {
    pub(super) fn is_good(&self) -> bool {
        self.0.borrow().end.is_some_and(|end| Instant::now() < end)
    }

    /// How often the lease ended and was begun again. What was granted before the last time may be another worker's.
    pub(super) fn lapses(&self) -> u64 {
        self.0.borrow().lapses
    }

    /// Waits for the next heartbeat that reached the store.
    ///
    /// Cancel safe: nothing is consumed but the news itself.
    pub(super) async fn renewed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

pub(super) struct Heart {
    pub(super) store: Arc<dyn Store>,
    pub(super) group: Group,
    pub(super) worker: WorkerId,
    pub(super) lease: Duration,
    pub(super) interval: Duration,
    pub(super) tries: Tries,
    pub(super) telemetry: Arc<Telemetry>,
}

impl Heart {
    /// The lease, and the beating that keeps it good for as long as it is polled.
    pub(super) fn beating(self) -> (Lease, impl Future<Output = ()> + Send) {
        let (sender, receiver) = watch::channel(Term::default());
        (Lease(receiver), self.beat(sender))
    }

    async fn beat(mut self, sender: watch::Sender<Term>) {
        loop {
            let before = Instant::now();
            match self
                .store
                .heartbeat(&self.group, &self.worker, self.lease)
                .await
            {
                Ok(()) => {
                    if !self.tries.is_fresh() {
                        info!("the store got a heartbeat again");
                    }
                    self.tries.succeeded();
                    self.telemetry
                        .store_answered(StoreCall::Heartbeat, before.elapsed());
                    sender.send_modify(|term| {
                        let now = Instant::now();
                        if term.end.is_some_and(|end| end <= now) {
                            term.lapses += 1;
                            self.telemetry.lapses.increment(1);
                        }
                        term.end = Some(before + self.lease);
                    });
                    tokio::time::sleep(self.interval).await;
                }
                Err(error) => {
                    self.telemetry.store_failed(StoreCall::Heartbeat);
                    if self.tries.is_fresh() {
                        warn!(%error, "the store did not get the heartbeat; trying again");
                    }
                    let wait = self.tries.failed();
                    tokio::time::sleep(wait.min(self.interval)).await;
                }
            }
        }
    }
}
