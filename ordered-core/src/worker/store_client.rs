use std::pin::Pin;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use super::backoff::RetryBackoff;
use super::run_input::DecodedEvent;
use super::telemetry::{StoreCall, Telemetry};
use crate::protocol::WorkerId;
use crate::protocol::engine::Pending;
use crate::store::{Answer, Exchange, Opened, Request, Session, Store, Sweep, Swept};
use crate::store::{Group, StoreError, StoreErrorKind};

/// A call of the store under way.
pub(super) type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A batch, and what the store said to it.
pub(super) type BatchAnswer = (Vec<Pending<DecodedEvent>>, Result<Exchange, StoreError>);

/// Calls the store on behalf of the worker.
pub(super) struct StoreClient {
    store: Arc<dyn Store>,
    group: Group,
    session: Session,
    backoff: RetryBackoff,
    telemetry: Arc<Telemetry>,
}

impl StoreClient {
    pub(super) fn new(
        store: Arc<dyn Store>,
        group: Group,
        session: Session,
        random: fastrand::Rng,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            store,
            group,
            session,
            backoff: RetryBackoff::new(random),
            telemetry,
        }
    }

    pub(super) fn worker(&self) -> &WorkerId {
        &self.session.worker
    }

    /// Sends a batch. Where the store does not answer, the future waits a little before it says so: what the batch was
    /// for is asked about anew at once.
    pub(super) fn exchange(
        &mut self,
        requests: Vec<Request>,
        pending: Vec<Pending<DecodedEvent>>,
    ) -> Call<BatchAnswer> {
        let (store, group) = (Arc::clone(&self.store), self.group.clone());
        let (session, telemetry) = (self.session.clone(), Arc::clone(&self.telemetry));
        let pause = self.backoff.next_wait();
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        telemetry.batch_commands.record(requests.len() as f64);
        Box::pin(async move {
            let before = Instant::now();
            let answer = store.exchange(&group, &session, &requests).await;
            let answer = answer.and_then(|exchange| complete(&requests, exchange));
            match &answer {
                Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                    telemetry.store_failed(StoreCall::Apply, error);
                    tokio::time::sleep(pause).await;
                }
                Ok(exchange) if exchange.answers.contains(&Answer::Unknown) => {
                    telemetry.store_failed(StoreCall::Apply, &"a part of it does not answer");
                    tokio::time::sleep(pause).await;
                }
                _ => telemetry.store_answered(StoreCall::Apply, before.elapsed()),
            }
            (pending, answer)
        })
    }

    /// Takes note of how the last batch went.
    pub(super) fn on_answer(&mut self, answer: &Result<Exchange, StoreError>) {
        match answer {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                if self.backoff.is_fresh() {
                    warn!(%error, "the store is unavailable: nothing is acknowledged until it is back");
                }
                self.backoff.failed();
            }
            Ok(exchange) if exchange.answers.contains(&Answer::Unknown) => {
                if self.backoff.is_fresh() {
                    warn!("a part of the store is unavailable: its keys wait until it is back");
                }
                self.backoff.failed();
            }
            Ok(_) => {
                if !self.backoff.is_fresh() {
                    info!("the store is back");
                }
                self.backoff.succeeded();
            }
            Err(_) => {}
        }
    }

    /// Looks for keys that need an owner.
    pub(super) fn sweep(&self, sweep: Sweep) -> Call<Result<Swept, StoreError>> {
        let (store, group) = (Arc::clone(&self.store), self.group.clone());
        let (session, telemetry) = (self.session.clone(), Arc::clone(&self.telemetry));
        Box::pin(async move {
            let before = Instant::now();
            let swept = store.sweep(&group, &session, &sweep).await;
            match &swept {
                Ok(_) => telemetry.store_answered(StoreCall::Sweep, before.elapsed()),
                Err(error) => telemetry.store_failed(StoreCall::Sweep, error),
            }
            swept
        })
    }

    /// Opens the group again after its state was lost; goes on until the store answers.
    pub(super) fn reopen(&mut self) -> Call<Result<Opened, StoreError>> {
        let (store, group) = (Arc::clone(&self.store), self.group.clone());
        let (worker, mut backoff) = (self.session.worker.clone(), self.backoff.fork());
        Box::pin(async move {
            loop {
                match store.open(&group, &worker).await {
                    Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                        backoff.failed();
                        tokio::time::sleep(backoff.next_wait()).await;
                    }
                    opened => return opened,
                }
            }
        })
    }

    /// From now on the calls are about this state.
    pub(super) fn set_session(&mut self, session: Session) {
        self.session = session;
    }

    /// Ends the worker's lease.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.store.leave(&self.group, &self.session).await {
            warn!(%error, "the store did not hear that the worker stops; its lease ends by itself");
        }
    }
}

/// A request without an answer would be neither settled nor asked about again.
fn complete(requests: &[Request], exchange: Exchange) -> Result<Exchange, StoreError> {
    let (asked, given) = (requests.len(), exchange.answers.len());
    if asked == given {
        return Ok(exchange);
    }
    Err(StoreError::refused(format!(
        "the store gave {given} answers to {asked} requests: it is broken"
    )))
}
