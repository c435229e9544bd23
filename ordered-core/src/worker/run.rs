use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::{Instrument, info, info_span, warn};

use super::connect_retry::ConnectRetry;
use super::health::EndedGuard;
use super::pitfalls;
use super::presence::PresenceWatch;
use super::worker_loop::WorkerLoop;
use super::{Health, Observer, Repair, Settings, SpanHook, StuckHook, WorkerBuilder, WorkerError};
use crate::handler::{DynHandler, EventPlaces, HandlerOptions, States};
use crate::protocol::{Order, WorkerId};
use crate::store::{Durability, Group, Store, StoreError, StoreErrorKind, StoreReport};
use crate::transport::{self, Transport};

/// Boxed, so that the worker is not monomorphised per shutdown future.
type Shutdown<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Runs in a task of its own, which ends with this future. Where the future is driven from outside of the runtime's
/// threads, as by `block_on`, each start of a handler would otherwise cross to them, and each end of one back.
async fn spawn_detached(worker: WorkerLoop, shutdown: Shutdown<'_>) -> Result<(), WorkerError> {
    let (ask, asked) = oneshot::channel();
    let mut task = JoinSet::new();
    task.spawn(worker.run(async {
        if asked.await.is_err() {
            // The future is dropped, and that is no shutdown.
            std::future::pending().await
        }
    }));
    tokio::select! {
        biased;
        Some(ended) = task.join_next() => return outcome(ended),
        () = shutdown => drop(ask.send(())),
    }
    task.join_next().await.map_or(Ok(()), outcome)
}

fn outcome(ended: Result<Result<(), WorkerError>, JoinError>) -> Result<(), WorkerError> {
    ended.unwrap_or_else(|stopped| match stopped.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // Nobody stops the task but a runtime that is shut down, and then nobody waits for this.
        Err(_) => Ok(()),
    })
}

fn is_unavailable(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Unavailable
}

/// One worker of a group. Start as many as you like, in as many processes.
pub struct Worker {
    pub(super) store: Arc<dyn Store>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) handler: Arc<dyn DynHandler>,
    /// The type of the handler that the application gave.
    pub(super) handler_type: &'static str,
    pub(super) options: HandlerOptions,
    pub(super) settings: Settings,
    pub(super) states: Arc<States>,
    pub(super) observers: Vec<Observer>,
    pub(super) span_hooks: Arc<[SpanHook]>,
    pub(super) stuck_hooks: Vec<StuckHook>,
    pub(super) repair: Option<Arc<dyn Repair>>,
    pub(super) id: WorkerId,
    pub(super) health: Health,
    pub(super) random: fastrand::Rng,
}

impl Worker {
    /// Begins to put a worker together.
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder::default()
    }

    /// The worker's name.
    #[must_use]
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// How its handler's events are treated: the handler's own options, with what the builder changed.
    #[must_use]
    pub fn options(&self) -> &HandlerOptions {
        &self.options
    }

    /// How the worker is, for the probes of an orchestrator: from now on, and after its end.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Runs until `shutdown` is done, then drains: nothing new begins, handlers that run are finished and committed,
    /// and all else goes back to the broker.
    ///
    /// While the store or the broker is unavailable the worker waits, and goes on by itself.
    ///
    /// # Errors
    /// When the store or the transport will not work as they are configured; the message says what to do.
    ///
    /// # Cancel safety
    /// Dropping the future is like a crash: nothing is lost, but the worker's keys go on elsewhere only once its lease
    /// has ended, and handlers that run are run again.
    pub async fn run_until(
        self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), WorkerError> {
        let guard = EndedGuard(self.health.clone());
        let ended = self.run(Box::pin(shutdown)).await;
        guard.with(ended.as_ref().err().map(ToString::to_string));
        ended
    }

    async fn run(self, mut shutdown: Shutdown<'_>) -> Result<(), WorkerError> {
        // A signal is listened for once the shutdown is asked: one that came during the start would end the process.
        let is_asked = tokio::select! {
            biased;
            () = &mut shutdown => true,
            () = std::future::ready(()) => false,
        };
        if is_asked {
            shutdown = Box::pin(std::future::ready(()));
        }
        let group = Group::new(&self.options.group, self.options.policy.clone())
            .with_places(self.handler.places());
        let mut retry = ConnectRetry::new(self.settings.connect_timeout);
        let opened = loop {
            match self.store.open(&group, &self.id).await {
                Err(error) if is_unavailable(&error) && retry.has_time_left() => tokio::select! {
                    biased;
                    () = &mut shutdown => return Ok(()),
                    () = retry.wait("the store", error) => {}
                },
                opened => break opened.map_err(WorkerError::Store)?,
            }
        };
        retry.succeeded();
        self.log_start(&opened.report);
        pitfalls::settings(&self.options);
        let presence = PresenceWatch::new(
            Arc::clone(&self.store),
            group.clone(),
            self.id.clone(),
            self.transport.source(),
            opened.created,
        );
        let options = transport::ConsumeOptions {
            max_unsettled: self.settings.read_ahead,
        };
        let (timeout, policy) = (self.options.timeout, &self.options.policy);
        let reads_headers = group.places().is_some_and(EventPlaces::reads_headers);
        self.transport.set_worker_profile(
            transport::WorkerProfile::new(timeout, policy.max_crashes)
                .with_gap_timeout(policy.on_gap.after())
                .with_headers(reads_headers),
        );
        // What the transport says of its queue has the group, too.
        let starting = info_span!("start", group = group.name());
        let mut retry = ConnectRetry::new(self.settings.connect_timeout);
        loop {
            match self
                .transport
                .start(options)
                .instrument(starting.clone())
                .await
            {
                Err(error) if error.kind().passes() && retry.has_time_left() => tokio::select! {
                    biased;
                    () = &mut shutdown => return Ok(()),
                    () = retry.wait("the broker", error) => {}
                },
                started => break started.map_err(WorkerError::Transport)?,
            }
        }
        retry.succeeded();
        self.log_delivery_order();
        let transport = Arc::clone(&self.transport);
        let mut watching = JoinSet::new();
        watching.spawn(presence.run());
        let outcome =
            spawn_detached(WorkerLoop::start(self, group, opened.session), shutdown).await;
        watching.shutdown().await;
        if let Err(error) = transport.close().await {
            warn!(%error, "the broker did not hear that the worker stops; it will notice");
        }
        outcome
    }

    /// Says what the order of arrival is, where the group asks for it.
    fn log_delivery_order(&self) {
        if self.options.policy.order != Order::Arrival {
            return;
        }
        let delivery_order = self.transport.delivery_order();
        let (group, order) = (self.options.group.as_str(), delivery_order.sentence());
        if delivery_order.is_ordered() {
            info!(group, order, "events of a key run as they arrive");
        } else {
            warn!(group, order, "events of a key run as they arrive");
        }
    }

    fn log_start(&self, report: &StoreReport) {
        let StoreReport { durability, reason } = report;
        let (worker, group) = (self.id.as_str(), self.options.group.as_str());
        info!(worker, group, guarantee = %durability, reason, "the worker starts");
        let loss = match durability {
            Durability::Evictable => {
                "the store may drop state while it runs, to make room: keys then begin anew, and events are handled \
                 again"
            }
            Durability::Volatile => {
                "the store keeps nothing when it stops: all progress, and what is held, is then gone"
            }
            Durability::Unknown | Durability::LosesRecentWrites | Durability::Durable => return,
        };
        warn!(group, guarantee = %durability, reason, "{loss}");
    }
}
