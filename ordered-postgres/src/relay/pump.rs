use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use ordered_core::transport::Publish;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::builder::Settings;
use super::heartbeat::{HasLeft, LeaseState};
use super::lagging::Lagging;
use super::metrics::{self, Failed};
use super::published::Published;
use super::publishing::{Attempt, publish};
use super::reading::{self, Batch, Scan};
use super::repairs;
use super::row::OutboxRow;
use super::shards::{self, Shard};
use crate::error::{PostgresError, PostgresErrorKind};
use crate::pool::Connections;

/// How soon the relay looks again for what it was told of and does not see yet.
const RECHECK: Duration = Duration::from_millis(25);

/// What the relay knows and does; everything in it happens one after the other, so that what it knows is never half
/// true.
pub(super) struct Pump {
    pub(super) relay: Arc<str>,
    pub(super) pool: Connections,
    pub(super) publisher: Arc<dyn Publish>,
    pub(super) settings: Settings,
    pub(super) alive: watch::Receiver<LeaseState>,
    /// True when the relay is to end.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) left: HasLeft,
    /// Something was staged, perhaps.
    pub(super) wake: Arc<Notify>,
    pub(super) shards: BTreeMap<i16, Shard>,
    pub(super) lagging: HashMap<String, Lagging>,
    pub(super) published: Published,
    /// Keys that lag, or do so no more, since the last save.
    pub(super) changed: HashMap<String, Option<Lagging>>,
    /// Whether anything has happened since the last save.
    pub(super) unsaved: bool,
    /// When positions are written down although nothing was published, so that others see that nothing is left.
    pub(super) save_at: Instant,
    pub(super) balance_at: Instant,
    /// How often it had been dead, as far as others see it, when it last asked which shards it has.
    pub(super) lapses: u64,
    repair_at: Instant,
    prefetched: Option<Batch>,
    /// Somebody has said that there is something, and it may be held back still.
    notified: bool,
    /// How many rows are asked for; fewer where rows are large.
    rows: usize,
}

impl Pump {
    pub(super) fn new(
        (relay, pool, publisher): (Arc<str>, Connections, Arc<dyn Publish>),
        settings: Settings,
        (alive, left): (watch::Receiver<LeaseState>, HasLeft),
        (stop, wake): (watch::Receiver<bool>, Arc<Notify>),
    ) -> Self {
        Self {
            relay,
            pool,
            publisher,
            alive,
            stop,
            left,
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
            self.forget();
            if self.pause(Instant::now() + wait).await {
                return Ok(());
            }
        }
    }

    /// Goes back to what the database has. A server that crashed, or a replica that was promoted, counts its
    /// transactions on from what it has kept: events staged there would lie before a position that only this relay
    /// remembers, and stay unpublished.
    fn forget(&mut self) {
        self.prefetched = None;
        self.shards.clear();
        self.lagging.clear();
        self.changed.clear();
        self.published = Published::new(self.settings.known_keys);
        self.unsaved = false;
        self.balance_at = Instant::now();
    }

    async fn work(&mut self) -> Result<(), PostgresError> {
        let mut reader = self.pool.get().await?;
        let mut writer = self.pool.get().await?;
        loop {
            let lapsed = self.alive.borrow().lapses != self.lapses;
            if lapsed || self.balance_at <= Instant::now() {
                self.save(&mut writer).await?;
                self.balance(&writer).await?;
            }
            if *self.stop.borrow() {
                self.save(&mut writer).await?;
                let mut left = self.left.lock().await;
                *left = true;
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
                _ => {
                    let limits = (self.rows, self.settings.batch_bytes);
                    reading::batch(&mut reader, scan, None, limits).await?
                }
            };
            self.notified &= batch.horizon.held_back;
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
            self.relay(batch, &mut reader, &mut writer).await?;
        }
    }

    /// Publishes a batch, while the next one is read and the one before is written down.
    async fn relay(
        &mut self,
        mut batch: Batch,
        reader: &mut Object,
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
        let (ready, behind) = self.ready(&mut batch, reader).await?;
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
        let (horizon, limits) = (batch.horizon, (self.rows, self.settings.batch_bytes));
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
                Some(scan) => reading::batch(reader, scan, Some(horizon), limits)
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
