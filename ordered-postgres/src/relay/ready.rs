use std::collections::HashMap;

use deadpool_postgres::Object;

use super::lagging::Lagging;
use super::pump::Pump;
use super::reading::{self, Batch};
use super::row::OutboxRow;
use crate::error::PostgresError;

impl Pump {
    /// What of the batch is to be published now, each key's rows in the order of their seqs and without gaps. A key of which
    /// an earlier event lies behind the batch lags from then on.
    pub(super) async fn ready(
        &mut self,
        batch: &Batch,
        reader: &Object,
    ) -> Result<(Vec<OutboxRow>, Vec<(String, Lagging)>), PostgresError> {
        let mut behind = Vec::new();
        let mut keys: HashMap<&str, Vec<&OutboxRow>> = HashMap::new();
        let mut order = Vec::with_capacity(batch.rows.len());
        for row in &batch.rows {
            if self.is_due(row) {
                order.push(row.key.as_str());
                keys.entry(&row.key).or_default().push(row);
            }
        }
        // (key, seq) before which nothing of the key is known to be published.
        let mut doubts = Vec::new();
        for (key, rows) in &mut keys {
            rows.sort_by_key(|row| row.seq);
            let mut before = self.published.get(key).unwrap_or(0);
            for row in rows.iter() {
                if row.seq != before + 1 {
                    doubts.push((*key, row.seq - 1));
                }
                before = row.seq;
            }
        }
        if !doubts.is_empty() {
            let missing = reading::unpublished(reader, &doubts, batch.reaches).await?;
            for key in missing {
                if let Some(rows) = keys.get_mut(key.as_str()) {
                    let doubted = doubts.iter().filter(|(doubted, _)| *doubted == key);
                    for seq in doubted.map(|(_, before)| before + 1) {
                        behind.extend(self.cut(rows, seq, batch, reader).await?);
                    }
                }
            }
        }
        let mut next: HashMap<&str, std::vec::IntoIter<&OutboxRow>> = keys
            .into_iter()
            .map(|(key, rows)| (key, rows.into_iter()))
            .collect();
        // In the place of each row comes the next of its key.
        let rows = order
            .into_iter()
            .filter_map(|key| next.get_mut(key)?.next());
        Ok((rows.cloned().collect(), behind))
    }

    fn is_due(&self, row: &OutboxRow) -> bool {
        let shard = self.shards.get(&row.shard);
        shard.is_some_and(|shard| row.at > shard.at)
            && !self.lagging.contains_key(&row.key)
            && self.published.get(&row.key).is_none_or(|seq| row.seq > seq)
    }

    /// Takes the rows from this seq on out, if an event before it is not published and not in the batch.
    async fn cut(
        &self,
        rows: &mut Vec<&OutboxRow>,
        seq: i64,
        batch: &Batch,
        reader: &Object,
    ) -> Result<Option<(String, Lagging)>, PostgresError> {
        let Some(place) = rows.iter().position(|row| row.seq == seq) else {
            return Ok(None);
        };
        let row = rows[place];
        let first = reading::first_unpublished(reader, &row.key, seq, batch.reaches).await?;
        Ok(first.map(|first| {
            rows.truncate(place);
            (row.key.clone(), Lagging::behind(row.shard, first))
        }))
    }
}
