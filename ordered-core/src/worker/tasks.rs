use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::engine::{Pause, Run, RunName};
use super::span::{self, SpanHook};
use super::telemetry::Telemetry;
use crate::handler::{DynHandler, HandlerError};
use crate::words::of_panic;

/// What a spawned task tells the worker.
pub(super) enum News {
    Finished(RunName, Result<(), HandlerError>),
    PauseOver(RunName),
}

/// Starts handlers and pauses, each in a task of its own.
pub(super) struct Spawner {
    pub(super) handler: Arc<dyn DynHandler>,
    pub(super) tell: mpsc::UnboundedSender<News>,
    pub(super) timeout: Duration,
    pub(super) span_hooks: Arc<[SpanHook]>,
    pub(super) telemetry: Arc<Telemetry>,
}

impl Spawner {
    /// Runs the handler. A panic and a timeout are failed attempts.
    pub(super) fn run(&self, name: RunName, Run { work, context }: Run) -> AbortHandle {
        let (tell, limit, telemetry) =
            (self.tell.clone(), self.timeout, Arc::clone(&self.telemetry));
        let (handler, hooks) = (Arc::clone(&self.handler), Arc::clone(&self.span_hooks));
        let task = tokio::spawn(async move {
            let span = span::of_run(&context, &hooks);
            let begun = Instant::now();
            // The call itself is inside, so that a panic before the first await is caught too.
            let run = AssertUnwindSafe(async move { handler.call(work).await }).catch_unwind();
            let outcome = match timeout(limit, run.instrument(span.clone())).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(panic)) => Err(HandlerError::transient(format!(
                    "the handler panicked: {}",
                    of_panic(&*panic)
                ))),
                Err(_) => Err(HandlerError::transient(format!(
                    "the handler was not done after its timeout of {limit:?}"
                ))),
            };
            telemetry.handler_seconds.record(begun.elapsed());
            span::ended(&span, &outcome);
            // Nobody listens once the worker is gone; the event is then run again elsewhere.
            let _ = tell.send(News::Finished(name, outcome));
        });
        task.abort_handle()
    }

    /// Tells when the wait is over.
    pub(super) fn pause(&self, Pause { name, wait }: Pause) {
        let tell = self.tell.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = tell.send(News::PauseOver(name));
        });
    }
}
