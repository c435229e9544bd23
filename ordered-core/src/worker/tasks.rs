use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::pitfalls;
use super::run_input::RunInput;
use super::span::{self, SpanHook};
use super::telemetry::Telemetry;
use crate::event::Key;
use crate::handler::{Context, DynHandler, HandlerError};
use crate::protocol::engine::RunId;
use crate::words::of_panic;

/// What a spawned task reports to the worker.
pub(super) enum TaskEvent {
    Finished {
        run: RunId,
        attempt: u32,
        outcome: Result<(), HandlerError>,
    },
    Woken(Key),
}

/// Starts handlers and timers, each in a task of its own.
pub(super) struct Tasks {
    pub(super) handler: Arc<dyn DynHandler>,
    pub(super) task_events: mpsc::UnboundedSender<TaskEvent>,
    pub(super) timeout: Duration,
    pub(super) span_hooks: Arc<[SpanHook]>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) runs: HashMap<u64, (AbortHandle, Context), foldhash::fast::RandomState>,
}

impl Tasks {
    /// Runs the handler, and ends what is attached to the run. A panic and a timeout are failed attempts.
    pub(super) fn run(&mut self, run: RunId, attempt: u32, RunInput { work, context }: RunInput) {
        let (task_events, limit, telemetry) = (
            self.task_events.clone(),
            self.timeout,
            Arc::clone(&self.telemetry),
        );
        let (handler, hooks) = (Arc::clone(&self.handler), Arc::clone(&self.span_hooks));
        let (number, of_run) = (run.number, context.clone());
        let task = tokio::spawn(async move {
            let span = span::of_run(&context, &hooks);
            let begun = Instant::now();
            let watching = context.clone();
            let work = async {
                // The call itself is inside, so that a panic before the first await is caught too.
                let outcome = caught(async move { handler.call(work).await }).await;
                caught(context.finish(outcome)).await
            };
            let work = pitfalls::watched(work, &telemetry.pitfalls, &watching);
            let outcome = timeout(limit, work.instrument(span.clone())).await;
            let outcome = outcome.unwrap_or_else(|_| {
                context.abandon();
                Err(HandlerError::transient(format!(
                    "the handler was not done after its timeout of {limit:?}"
                )))
            });
            telemetry.handler_seconds.record(begun.elapsed());
            span::ended(&span, &outcome);
            // Nobody listens once the worker is gone; the event is then run again elsewhere.
            let _ = task_events.send(TaskEvent::Finished {
                run,
                attempt,
                outcome,
            });
        });
        self.runs.insert(number, (task.abort_handle(), of_run));
    }

    /// The run is over, or does not count any more.
    pub(super) fn forget(&mut self, run: &RunId) -> Option<AbortHandle> {
        self.runs.remove(&run.number).map(|(task, _)| task)
    }

    /// The contexts of the runs that are at work, in the order in which they began.
    pub(super) fn at_work(&self) -> Vec<Context> {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_unstable_by_key(|(number, _)| **number);
        runs.into_iter()
            .map(|(_, (_, context))| context.clone())
            .collect()
    }

    /// Stops a run.
    pub(super) fn abort(&mut self, run: &RunId) {
        if let Some(task) = self.forget(run) {
            task.abort();
        }
    }

    /// Reports when the time is over.
    pub(super) fn wake(&self, key: Key, after: Duration) {
        let task_events = self.task_events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = task_events.send(TaskEvent::Woken(key));
        });
    }
}

async fn caught(work: impl Future<Output = Result<(), HandlerError>>) -> Result<(), HandlerError> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.unwrap_or_else(|panic| {
        Err(HandlerError::transient(format!(
            "the handler panicked: {}",
            of_panic(&*panic)
        )))
    })
}

/// A worker that is dropped in the middle stops its handlers, as a crash would.
impl Drop for Tasks {
    fn drop(&mut self) {
        let mut runs: Vec<_> = self.runs.drain().collect();
        // In an order that a seed can repeat.
        runs.sort_unstable_by_key(|(number, _)| *number);
        runs.into_iter().for_each(|(_, (task, _))| task.abort());
    }
}
