use deadpool_postgres::Object;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::Instant;

use super::lagging::Lagging;
use super::metrics::{self, Failed};
use super::publishing::{KEYS_AT_A_TIME, of_key};
use super::pump::Pump;
use super::reading;
use crate::error::PostgresError;

/// How many keys that lag are gone on with in one turn, so that they do not hold up the others.
const KEYS_A_TURN: usize = 32;
/// How many events of such a key are published in one turn.
const EVENTS_A_TURN: usize = 200;

impl Pump {
    /// Goes on with keys that lag and are due.
    pub(super) async fn retry_lagging(&mut self, reader: &Object) -> Result<(), PostgresError> {
        let now = Instant::now();
        let mut due: Vec<(String, Lagging)> = self
            .lagging
            .iter()
            .filter(|(_, lagging)| lagging.retry_at <= now)
            .map(|(key, lagging)| (key.clone(), lagging.clone()))
            .collect();
        due.sort_by_key(|(_, lagging)| lagging.retry_at);
        due.truncate(KEYS_A_TURN);
        let bytes = self.settings.batch_bytes / KEYS_AT_A_TIME;
        let mut turns = Vec::with_capacity(due.len());
        for (key, lagging) in due {
            let publisher = self.publisher.clone();
            let turn = async move {
                let range = (lagging.next_seq, i64::MAX);
                let rows = reading::of_key(reader, &key, range, EVENTS_A_TURN, bytes).await?;
                let all: Vec<_> = rows.iter().collect();
                let outcome = of_key(&*publisher, &all).await;
                let last = rows.last().map(|row| row.seq);
                Ok((key, lagging, last, outcome))
            };
            turns.push(turn.boxed());
        }
        let outcomes: Vec<Result<_, PostgresError>> = stream::iter(turns)
            .buffer_unordered(KEYS_AT_A_TIME)
            .collect()
            .await;
        for outcome in outcomes {
            let (key, mut lagging, last, outcome) = outcome?;
            match (outcome, last) {
                (Ok(()), None) => self.caught_up(key),
                (Ok(()), Some(last)) => {
                    if lagging.attempts > 0 {
                        tracing::info!(key, "the events of the key can be published again");
                    }
                    (lagging.attempts, lagging.error) = (0, None);
                    self.published.put(&key, last);
                    lagging.next_seq = last + 1;
                    lagging.retry_at = Instant::now();
                    self.lag(key, lagging);
                }
                (Err(stopped), _) => {
                    metrics::failed(Failed::Key);
                    if stopped.seq > lagging.next_seq {
                        self.published.put(&key, stopped.seq - 1);
                        lagging.attempts = 0;
                    }
                    lagging.attempts = lagging.attempts.saturating_add(1);
                    let wait = self.settings.backoff().after(lagging.attempts);
                    lagging.next_seq = stopped.seq;
                    lagging.retry_at = Instant::now() + wait;
                    lagging.error = Some(stopped.error);
                    self.lag(key, lagging);
                }
            }
        }
        Ok(())
    }
}
