use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use ordered_core::transport::{Publish, TransportError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::builder::Settings;
use super::keeper::Alive;
use super::lagging::{self, Lagging};
use super::metrics::{self, Failed};
use super::published::Published;
use super::publishing::{Attempt, Stopped, publish};
use super::reading::{self, Batch, Scan};
use super::row::OutboxRow;
use super::shards::{self, Shard};
use super::{SHARDS, repairs};
use crate::error::{PostgresError, PostgresErrorKind};

/// How often positions are written down while nothing is published.
const SAVE_POSITIONS: Duration = Duration::from_secs(5);
/// How soon the relay looks again for what it was told of and does not see yet.
const RECHECK: Duration = Duration::from_millis(25);

/// What the relay knows and does; everything in it happens one after the other, so that what it knows is never half true.
pub(super) struct Pump {
    pub(super) relay: Arc<str>,
    pub(super) pool: Pool,
    pub(super) publisher: Arc<dyn Publish>,
    pub(super) settings: Settings,
    pub(super) alive: watch::Receiver<Alive>,
    /// True when the relay is to end.
    pub(super) stop: watch::Receiver<bool>,
    /// Something was staged, perhaps.
    pub(super) wake: Arc<Notify>,
    pub(super) shards: BTreeMap<i16, Shard>,
    pub(super) lagging: HashMap<String, Lagging>,
    pub(super) published: Published,
    /// Keys that lag, or do so no more, since the last save.
    changed: HashMap<String, Option<Lagging>>,
    /// Whether anything has happened since the last save.
    unsaved: bool,
    /// When positions are written down although nothing was published, so that others see that nothing is left.
    save_at: Instant,
    balance_at: Instant,
    /// How often it had been dead, as far as others see it, when it last asked which shards it has.
    lapses: u64,
    repair_at: Instant,
    prefetched: Option<Batch>,
    /// Somebody has said that there is something, and it may be held back still.
    notified: bool,
    /// How many rows are asked for; fewer where rows are large.
    rows: usize,
}

impl Pump {
    pub(super) fn new(
        (relay, pool, publisher): (Arc<str>, Pool, Arc<dyn Publish>),
        settings: Settings,
        (alive, stop, wake): (watch::Receiver<Alive>, watch::Receiver<bool>, Arc<Notify>),
    ) -> Self {
        Self {
            relay,
            pool,
            publisher,
            alive,
            stop,
            wake,
            shards: BTreeMap::new(),
            lagging: HashMap::new(),
            published: Published::new(settings.known_keys),
            changed: HashMap::new(),
            unsaved: false,
            save_at: Instant::now(),
            balance_at: Instant::now(),
            lapses: 0,
            repair_at: Instant::now(),
            prefetched: None,
            notified: false,
            rows: settings.batch,
            settings,
        }
    }

    /// Works until it is to stop, over all failures that pass.
    pub(super) async fn run(&mut self) -> Result<(), PostgresError> {
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            let error = match self.work().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            metrics::failed(Failed::Database);
            // A server that takes no writes for now is one that fails over.
            if !error.kind().is_transient() && error.kind() != PostgresErrorKind::ReadOnly {
                return Err(error);
            }
            failures = if begun.elapsed() > self.settings.max_backoff {
                1
            } else {
                failures + 1
            };
            let wait = self.settings.backoff().after(failures);
            tracing::warn!(%error, "the relay goes on in {wait:?}");
            self.prefetched = None;
            self.balance_at = Instant::now();
            if self.pause(Instant::now() + wait).await {
                return Ok(());
            }
        }
    }

    async fn work(&mut self) -> Result<(), PostgresError> {
        let reader = self.pool.get().await?;
        let mut writer = self.pool.get().await?;
        loop {
            let lapses = self.alive.borrow().lapses;
            if self.balance_at <= Instant::now() || lapses != self.lapses {
                self.lapses = lapses;
                self.save(&mut writer).await?;
                self.balance(&writer).await?;
            }
            if *self.stop.borrow() {
                self.save(&mut writer).await?;
                return shards::leave(&writer, &self.relay).await;
            }
            if !self.is_alive() {
                let until = (Instant::now() + self.settings.poll_interval).min(self.balance_at);
                self.pause(until).await;
                continue;
            }
            self.retry_lagging(&reader).await?;
            if self.repair_at <= Instant::now() {
                self.repair_at = Instant::now() + self.settings.repair_interval;
                repairs::answer(self, &reader).await?;
            }
            let Some(scan) = self.scan() else {
                self.idle().await;
                continue;
            };
            let batch = match self.prefetched.take() {
                Some(batch) if batch.scan == scan => batch,
                _ => reading::batch(&reader, scan, self.rows, self.settings.batch_bytes).await?,
            };
            self.notified &= batch.held_back;
            if batch.rows.is_empty() {
                let merges = batch.scan.upto.is_some_and(|upto| batch.reaches >= upto);
                self.advance(&batch);
                if self.unsaved || self.save_at <= Instant::now() {
                    self.unsaved = true;
                    self.save(&mut writer).await?;
                } else if !merges {
                    self.idle().await;
                }
                continue;
            }
            self.relay(batch, &reader, &mut writer).await?;
        }
    }

    /// Publishes a batch, while the next one is read and the one before is written down.
    async fn relay(
        &mut self,
        batch: Batch,
        reader: &Object,
        writer: &mut Object,
    ) -> Result<(), PostgresError> {
        let bytes: usize = batch.rows.iter().map(OutboxRow::size).sum();
        // Twice what was in it, where it was cut for its size.
        self.rows = if bytes >= self.settings.batch_bytes {
            batch.rows.len() * 2
        } else {
            self.rows * 2
        }
        .clamp(1, self.settings.batch);
        let (ready, behind) = self.ready(&batch, reader).await?;
        let (unsaved, changed) = (
            std::mem::take(&mut self.unsaved),
            std::mem::take(&mut self.changed),
        );
        let owned: Vec<Shard> = self.shards.values().copied().collect();
        let (publisher, relay) = (Arc::clone(&self.publisher), Arc::clone(&self.relay));
        let next = (!batch.exhausted).then(|| Scan {
            after: batch.reaches,
            ..batch.scan.clone()
        });
        let begun = Instant::now();
        let publishing = async {
            if ready.is_empty() {
                Attempt::All
            } else {
                publish(&*publisher, &ready, 0).await
            }
        };
        let reading = async {
            match next {
                Some(scan) => reading::batch(reader, scan, self.rows, self.settings.batch_bytes)
                    .await
                    .map(Some),
                None => Ok(None),
            }
        };
        let saving = async {
            if unsaved {
                shards::save(writer, &relay, &owned, &changed).await
            } else {
                Ok(owned.iter().map(|shard| shard.number).collect())
            }
        };
        let (attempt, next, saved) = tokio::join!(publishing, reading, saving);
        // What was published is so, whatever the database says.
        let done = self.settle(attempt, &ready, begun).await;
        if done {
            self.advance(&batch);
            self.unsaved = true;
            for (key, lagging) in behind {
                self.lag(key, lagging);
            }
        }
        match saved {
            Ok(ours) => self.keep_only(&ours),
            Err(error) => {
                for (key, change) in changed {
                    self.changed.entry(key).or_insert(change);
                }
                self.unsaved = true;
                return Err(error);
            }
        }
        self.prefetched = if done { next? } else { None };
        Ok(())
    }

    /// Goes on with a batch until it is published but for keys that stopped. False: it is given up, since the relay ends
    /// or has lost its lease.
    async fn settle(&mut self, mut attempt: Attempt, ready: &[OutboxRow], begun: Instant) -> bool {
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
        stopped: Vec<Stopped>,
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
        for Stopped {
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
    fn remember(&mut self, ready: &[OutboxRow], stopped: &[Stopped]) -> usize {
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

    /// The shards of the scan are where the batch ends.
    fn advance(&mut self, batch: &Batch) {
        for number in &batch.scan.shards {
            if let Some(shard) = self.shards.get_mut(number) {
                shard.at = shard.at.max(batch.reaches);
            }
        }
    }

    /// The shards that are furthest behind, up to where the next ones stand.
    fn scan(&self) -> Option<Scan> {
        let after = self.shards.values().map(|shard| shard.at).min()?;
        let ahead = self.shards.values().map(|shard| shard.at);
        let behind = self.shards.values().filter(|shard| shard.at == after);
        Some(Scan {
            shards: behind.map(|shard| shard.number).collect(),
            after,
            upto: ahead.filter(|at| *at > after).min(),
        })
    }

    async fn save(&mut self, writer: &mut Object) -> Result<(), PostgresError> {
        if !self.unsaved {
            return Ok(());
        }
        let owned: Vec<Shard> = self.shards.values().copied().collect();
        let ours = shards::save(writer, &self.relay, &owned, &self.changed).await?;
        self.unsaved = false;
        self.save_at = Instant::now() + SAVE_POSITIONS;
        self.changed.clear();
        self.keep_only(&ours);
        Ok(())
    }

    fn keep_only(&mut self, ours: &[i16]) {
        if self.shards.keys().all(|number| ours.contains(number)) {
            return;
        }
        self.shards.retain(|number, _| ours.contains(number));
        self.lagging
            .retain(|_, lagging| ours.contains(&lagging.shard));
        tracing::info!(
            shards = self.shards.len(),
            "another relay has taken shards over"
        );
        self.balance_at = Instant::now();
    }

    /// Asks the database which shards are the relay's, gives back and takes.
    async fn balance(&mut self, writer: &Object) -> Result<(), PostgresError> {
        if !self.is_alive() {
            self.balance_at = Instant::now() + self.settings.poll_interval;
            return Ok(());
        }
        self.balance_at = Instant::now() + self.settings.lease / 5;
        let mut now = BTreeMap::new();
        let mut new = Vec::new();
        for mut shard in shards::balance(writer, &self.relay).await? {
            match self.shards.get(&shard.number) {
                Some(known) if known.fence == shard.fence => shard.at = shard.at.max(known.at),
                _ => new.push(shard.number),
            }
            now.insert(shard.number, shard);
        }
        self.lagging
            .retain(|_, lagging| now.contains_key(&lagging.shard) && !new.contains(&lagging.shard));
        if !new.is_empty() {
            self.lagging.extend(lagging::load(writer, &new).await?);
        }
        if now.len() != self.shards.len() || !new.is_empty() {
            tracing::info!(
                relay = &*self.relay,
                "the relay has {} of {SHARDS} shards",
                now.len()
            );
        }
        self.shards = now;
        metrics::has(self.shards.len(), self.lagging.len());
        Ok(())
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.borrow().until > Instant::now()
    }

    /// Until there may be something to do.
    async fn idle(&mut self) {
        let lagging = self.lagging.values().map(|lagging| lagging.retry_at);
        let mut poll = self.settings.poll_interval;
        if self.notified {
            poll = poll.min(RECHECK);
        }
        let poll = Instant::now() + poll;
        let until = lagging.fold(poll.min(self.balance_at), Instant::min);
        let wake = Arc::clone(&self.wake);
        let notified = tokio::select! {
            _ = self.pause(until) => false,
            () = wake.notified() => true,
        };
        self.notified |= notified;
    }

    /// Waits; true when the relay is to end.
    pub(super) async fn pause(&mut self, until: Instant) -> bool {
        // An error of the other kind means that nobody can tell it to stop any more.
        timeout_at(until, self.stop.wait_for(|stop| *stop))
            .await
            .is_ok()
    }
}
