use std::collections::HashMap;

use ordered_core::transport::TransportError;
use tokio::time::Instant;

use super::lagging::Lagging;
use super::metrics::{self, Failed};
use super::publishing::{Attempt, StoppedKey, publish};
use super::pump::Pump;
use super::row::OutboxRow;

impl Pump {
    /// Goes on with a batch until it is published but for keys that stopped. False: it is given up, since the relay
    /// ends or has lost its lease.
    pub(super) async fn settle(
        &mut self,
        mut attempt: Attempt,
        ready: &[OutboxRow],
        begun: Instant,
    ) -> bool {
        let mut failures = 0;
        loop {
            let error = match attempt {
                Attempt::All => {
                    metrics::published(self.remember(ready, &[]), begun.elapsed());
                    return true;
                }
                Attempt::Without(stopped) => match self.stop_keys(ready, stopped) {
                    Ok(published) => {
                        metrics::published(published, begun.elapsed());
                        return true;
                    }
                    Err(error) => error,
                },
                Attempt::Nothing(error) => error,
            };
            failures += 1;
            metrics::failed(Failed::Broker);
            let wait = self.settings.backoff().after(failures);
            tracing::warn!(%error, "nothing can be published; the relay tries again in {wait:?}");
            if self.pause(Instant::now() + wait).await || !self.is_alive() {
                return false;
            }
            attempt = publish(&*self.publisher, ready, failures).await;
        }
    }

    /// These keys lag from now on, unless they are too many.
    fn stop_keys(
        &mut self,
        ready: &[OutboxRow],
        stopped: Vec<StoppedKey>,
    ) -> Result<usize, TransportError> {
        let most = self.settings.max_lagging_keys;
        if self.lagging.len() + stopped.len() > most {
            return Err(TransportError::unavailable(format!(
                "more than {most} keys cannot be published (`max_lagging_keys`), the last of them {:?}: {}",
                stopped.last().map(|stopped| &stopped.key),
                stopped.last().map_or("", |stopped| &stopped.error),
            )));
        }
        let published = self.remember(ready, &stopped);
        for StoppedKey {
            key,
            shard,
            seq,
            error,
        } in stopped
        {
            metrics::failed(Failed::Key);
            let wait = self.settings.backoff().after(1);
            tracing::warn!(
                key,
                seq,
                error,
                "an event cannot be published; its key is tried again in {wait:?}"
            );
            let lagging = Lagging {
                shard,
                next_seq: seq,
                attempts: 1,
                retry_at: Instant::now() + wait,
                error: Some(error),
            };
            self.lag(key, lagging);
        }
        Ok(published)
    }

    pub(super) fn lag(&mut self, key: String, lagging: Lagging) {
        self.changed.insert(key.clone(), Some(lagging.clone()));
        self.lagging.insert(key, lagging);
        self.unsaved = true;
    }

    pub(super) fn caught_up(&mut self, key: String) {
        self.lagging.remove(&key);
        self.changed.insert(key, None);
        self.unsaved = true;
    }

    /// Up to which seqs keys are published now; answers how many rows that are.
    fn remember(&mut self, ready: &[OutboxRow], stopped: &[StoppedKey]) -> usize {
        let stopped: HashMap<&str, i64> = stopped
            .iter()
            .map(|stopped| (stopped.key.as_str(), stopped.seq))
            .collect();
        let mut published = 0;
        for row in ready {
            if stopped
                .get(row.key.as_str())
                .is_none_or(|seq| row.seq < *seq)
            {
                self.published.put(&row.key, row.seq);
                published += 1;
            }
        }
        published
    }
}
