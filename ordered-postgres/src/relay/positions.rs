use std::collections::BTreeMap;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::Instant;

use super::SHARDS;
use super::lagging;
use super::metrics;
use super::pump::Pump;
use super::reading::{Batch, Scan};
use super::shards::{self, Shard};
use crate::error::PostgresError;

/// How often positions are written down while nothing is published.
const SAVE_POSITIONS: Duration = Duration::from_secs(5);

impl Pump {
    /// The shards of the scan are where the batch ends.
    pub(super) fn advance(&mut self, batch: &Batch) {
        for number in &batch.scan.shards {
            if let Some(shard) = self.shards.get_mut(number) {
                shard.at = shard.at.max(batch.reaches);
            }
        }
    }

    /// The shards that are furthest behind, up to where the next ones stand.
    pub(super) fn scan(&self) -> Option<Scan> {
        let after = self.shards.values().map(|shard| shard.at).min()?;
        let ahead = self.shards.values().map(|shard| shard.at);
        let behind = self.shards.values().filter(|shard| shard.at == after);
        Some(Scan {
            shards: behind.map(|shard| shard.number).collect(),
            after,
            upto: ahead.filter(|at| *at > after).min(),
        })
    }

    pub(super) async fn save(&mut self, writer: &mut Object) -> Result<(), PostgresError> {
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

    pub(super) fn keep_only(&mut self, ours: &[i16]) {
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
    pub(super) async fn balance(&mut self, writer: &Object) -> Result<(), PostgresError> {
        if !self.is_alive() {
            self.balance_at = Instant::now() + self.settings.poll_interval;
            return Ok(());
        }
        self.lapses = self.alive.borrow().lapses;
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
}
