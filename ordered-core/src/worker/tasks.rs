use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::AbortHandle;
use tokio::sync::mpsc;

use super::run_input::RunInput;
use super::runner::{NewRun, Runner};
use crate::event::Key;
use crate::handler::{Context, HandlerError};
use crate::protocol::engine::RunId;

/// What a task reports to the worker.
pub(super) enum TaskEvent {
    Finished {
        run: RunId,
        attempt: u32,
        outcome: Result<(), HandlerError>,
    },
    Woken(Key),
}

/// The runs and timers that are at work.
pub(super) struct Tasks {
    pub(super) runner: Arc<Runner>,
    pub(super) task_events: mpsc::UnboundedSender<TaskEvent>,
    pub(super) runs: HashMap<u64, (AbortHandle, Context), foldhash::fast::RandomState>,
}

impl Tasks {
    /// A run begins with the next [`start`](Tasks::start).
    pub(super) fn add(&mut self, id: RunId, attempt: u32, input: RunInput) {
        let (abort, aborted) = AbortHandle::new_pair();
        self.runs.insert(id.number, (abort, input.context.clone()));
        self.runner.add(NewRun {
            id,
            attempt,
            input,
            aborted,
        });
    }

    /// Starts the runs that have not begun.
    pub(super) fn start(&self) {
        self.runner.start();
    }

    /// Starts those that should have begun a while ago.
    pub(super) fn start_overdue(&self) {
        self.runner.start_each();
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

/// A worker that is dropped in the middle stops its handlers, as a crash would.
impl Drop for Tasks {
    fn drop(&mut self) {
        self.runner.clear();
        let mut runs: Vec<_> = self.runs.drain().collect();
        // In an order that a seed can repeat.
        runs.sort_unstable_by_key(|(number, _)| *number);
        runs.into_iter().for_each(|(_, (task, _))| task.abort());
    }
}
