use std::future::pending;

use ordered_events::{WorkerBuilder, WorkerError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Outcome;

/// A worker that runs beside the demonstration.
#[derive(Debug)]
pub struct RunningWorker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl RunningWorker {
    /// Starts it.
    #[must_use]
    pub fn start(worker: WorkerBuilder) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(worker.run_until(async move {
            if stopped.await.is_err() {
                // Nobody can stop it any more.
                pending::<()>().await;
            }
        }));
        Self { stop, task }
    }

    /// Lets it finish what it has begun, and waits for that.
    ///
    /// # Errors
    /// When it has failed.
    pub async fn stop(self) -> Outcome {
        // It has ended by itself where nobody listens.
        let _ = self.stop.send(());
        self.task.await??;
        Ok(())
    }
}
