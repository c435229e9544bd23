//! Several workers in one process: one shutdown, and one error that ends all of them in order.

use std::collections::HashMap;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::error;

use super::{BuildError, Health, Worker, WorkerError};

/// Workers that run together: of several groups, on several queues, over several transports.
///
/// They share what they were built with, such as clones of one store. Each has a lease, a place in the metrics and
/// limits of its own.
#[must_use = "workers do nothing until they run"]
pub struct Workers {
    workers: Vec<Worker>,
}

/// Why workers that ran together have stopped, other than because they were asked to.
#[derive(thiserror::Error)]
#[error("group `{group}`: {error}")]
#[non_exhaustive]
pub struct WorkersError {
    /// The group of the worker that ended first.
    pub group: String,
    /// Why it ended. The others drained, and what went wrong with them meanwhile is in the log.
    #[source]
    pub error: WorkerError,
}

impl Workers {
    /// Checks that they do not take each other's events.
    ///
    /// # Errors
    /// When there is none; when two groups consume one queue; and when different handlers, or one with different
    /// options, are of one group.
    pub fn new(workers: impl IntoIterator<Item = Worker>) -> Result<Self, BuildError> {
        let workers: Vec<Worker> = workers.into_iter().collect();
        if workers.is_empty() {
            return Err(BuildError::Workers(
                "there is no worker: add a handler with the queue that it consumes".into(),
            ));
        }
        let (mut groups, mut sources) = (HashMap::new(), HashMap::new());
        for worker in &workers {
            let group = worker.options.group.as_str();
            let first = *groups.entry(group).or_insert(worker);
            check_alike(first, worker)?;
            let Some(source) = worker.transport.source() else {
                continue;
            };
            let other = *sources.entry(source.clone()).or_insert(group);
            if other != group {
                return Err(BuildError::Workers(format!(
                    "the groups `{other}` and `{group}` consume one queue ({source}): each would get a part of the \
                     events, and wait for the rest. Give each a queue of its own, or one group a `Router` where they \
                     handle different types"
                )));
            }
        }
        Ok(Self { workers })
    }

    /// How the workers are, for the probes of an orchestrator: from now on, and after their end.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.workers.iter().map(Worker::health).collect()
    }

    /// Runs all of them until `shutdown` is done; then they drain, all at a time. Where one of them ends with an error,
    /// the others drain too.
    ///
    /// # Errors
    /// That of the worker that ended first.
    ///
    /// # Cancel safety
    /// As [`Worker::run_until`]: dropping the future is like a crash of all of them.
    pub async fn run_until(
        self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), WorkersError> {
        let (stop, _) = watch::channel(false);
        let mut running = JoinSet::new();
        for worker in self.workers {
            let (group, mut stopped) = (worker.options.group.clone(), stop.subscribe());
            let shutdown = async move {
                // Where the sender is gone, so is whoever waits for this task.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            running.spawn(async move { (group, worker.run_until(shutdown).await) });
        }
        let mut shutdown = std::pin::pin!(shutdown);
        let (mut first, mut panicked) = (None, None);
        loop {
            let is_stopping = *stop.borrow();
            let ended = tokio::select! {
                biased;
                ended = running.join_next() => ended,
                () = &mut shutdown, if !is_stopping => {
                    stop.send_replace(true);
                    continue;
                }
            };
            match ended {
                None => break,
                Some(Ok((_, Ok(())))) => {}
                Some(Ok((group, Err(error)))) => match &first {
                    None => first = Some(WorkersError { group, error }),
                    Some(_) => error!(group, %error, "another worker has ended, too"),
                },
                Some(Err(stopped)) => {
                    if let Ok(panic) = stopped.try_into_panic() {
                        panicked.get_or_insert(panic);
                    }
                }
            }
            // None ends by itself without a reason.
            stop.send_replace(true);
        }
        if let Some(panic) = panicked {
            std::panic::resume_unwind(panic);
        }
        first.map_or(Ok(()), Err)
    }
}

/// Workers of one group may run what others of it held: they have to read and treat it alike.
fn check_alike(first: &Worker, other: &Worker) -> Result<(), BuildError> {
    let group = &first.options.group;
    let differ = |in_what: &str| {
        Err(BuildError::Workers(format!(
            "two workers of the group `{group}` differ in {in_what}, and each runs what the other one held: give them \
             different groups, or one `Router` where they handle different types of events"
        )))
    };
    if first.handler_type != other.handler_type {
        return differ("their handlers");
    }
    if first.handler.places() != other.handler.places() {
        return differ("where key, seq and id of an event are");
    }
    if first.options != other.options {
        return differ("their options");
    }
    Ok(())
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Workers").field(&self.health()).finish()
    }
}

impl std::fmt::Debug for WorkersError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error_text::write_with_causes(self, f)
    }
}
