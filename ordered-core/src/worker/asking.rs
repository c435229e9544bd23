use std::pin::Pin;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use super::backoff::Tries;
use super::engine::Then;
use super::telemetry::Telemetry;
use crate::protocol::{Command, Verdict, WorkerId};
use crate::store::{Group, Store, StoreError, StoreErrorKind, Swept};

/// A call of the store under way.
pub(super) type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A batch, and what the store said to it.
pub(super) type Answer = (Vec<Command>, Vec<Then>, Result<Vec<Verdict>, StoreError>);

/// Asks the store on behalf of the worker.
pub(super) struct Asker {
    pub(super) store: Arc<dyn Store>,
    pub(super) group: Group,
    pub(super) worker: WorkerId,
    pub(super) random: fastrand::Rng,
    pub(super) telemetry: Arc<Telemetry>,
}

impl Asker {
    /// Sends a batch, again and again while the store is away; only a refusal comes back as an error.
    pub(super) fn ask(&mut self, commands: Vec<Command>, thens: Vec<Then>) -> Call<Answer> {
        let (store, group, worker) = (
            Arc::clone(&self.store),
            self.group.clone(),
            self.worker.clone(),
        );
        let (telemetry, mut tries) = (Arc::clone(&self.telemetry), Tries::new(self.random.fork()));
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        telemetry.batch_commands.record(commands.len() as f64);
        Box::pin(async move {
            loop {
                let before = Instant::now();
                match store.apply(&group, &worker, &commands).await {
                    Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                        if tries.is_fresh() {
                            warn!(%error, "the store is away: nothing is acknowledged until it is back");
                            telemetry.store_up.set(0.0);
                        }
                        tokio::time::sleep(tries.failed()).await;
                    }
                    answer => {
                        if !tries.is_fresh() && answer.is_ok() {
                            info!("the store is back");
                        }
                        telemetry.store_up.set(1.0);
                        telemetry.store_seconds.record(before.elapsed());
                        return (commands, thens, answer);
                    }
                }
            }
        })
    }

    /// Looks for keys that nobody runs.
    pub(super) fn sweep(&self, limit: usize) -> Call<Result<Swept, StoreError>> {
        let (store, group) = (Arc::clone(&self.store), self.group.clone());
        Box::pin(async move { store.sweep(&group, limit).await })
    }

    /// Ends the worker's lease.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.store.leave(&self.group, &self.worker).await {
            warn!(%error, "the store did not hear that the worker stops; its lease ends by itself");
        }
    }
}
