use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::{info, warn};

use super::worker_loop::WorkerLoop;
use super::{Observer, Repair, Settings, SpanHook, StuckHook, WorkerBuilder, WorkerError};
use crate::handler::{DynHandler, HandlerOptions, States};
use crate::protocol::WorkerId;
use crate::store::Group;
use crate::store::Store;
use crate::transport::{self, Transport};

/// Boxed, so that the worker is not monomorphised per shutdown future.
type Shutdown<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Runs in a task of its own, which ends with this future. Where the future is driven from outside of the runtime's threads,
/// as by `block_on`, each start of a handler would otherwise cross to them, and each end of one back.
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

/// One worker of a group. Start as many as you like, in as many processes.
pub struct Worker {
    pub(super) store: Arc<dyn Store>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) handler: Arc<dyn DynHandler>,
    pub(super) options: HandlerOptions,
    pub(super) settings: Settings,
    pub(super) states: Arc<States>,
    pub(super) observers: Vec<Observer>,
    pub(super) span_hooks: Arc<[SpanHook]>,
    pub(super) stuck_hooks: Vec<StuckHook>,
    pub(super) repair: Option<Arc<dyn Repair>>,
    pub(super) id: WorkerId,
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

    /// Runs until `shutdown` is done, then drains: nothing new begins, handlers that run are finished and committed, and
    /// all else goes back to the broker.
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
        self.run(Box::pin(shutdown)).await
    }

    async fn run(self, shutdown: Shutdown<'_>) -> Result<(), WorkerError> {
        let group = Group::new(&self.options.group, self.options.policy.clone());
        let opened = self
            .store
            .open(&group, &self.id)
            .await
            .map_err(WorkerError::Store)?;
        let report = opened.report;
        info!(
            worker = %self.id, group = group.name(), guarantee = %report.durability, reason = report.reason,
            "the worker starts"
        );
        let intake = transport::Intake {
            max_unsettled: self.settings.read_ahead,
        };
        self.transport.introduce(transport::WorkerFacts::new(
            self.options.timeout,
            self.options.policy.max_crashes,
        ));
        self.transport
            .start(intake)
            .await
            .map_err(WorkerError::Transport)?;
        let transport = Arc::clone(&self.transport);
        let outcome =
            spawn_detached(WorkerLoop::start(self, group, opened.session), shutdown).await;
        if let Err(error) = transport.close().await {
            warn!(%error, "the broker did not hear that the worker stops; it will notice");
        }
        outcome
    }
}
