use std::collections::HashMap;

use deadpool_postgres::Object;

use super::lagging::Lagging;
use super::pump::Pump;
use super::reading::{self, Batch};
use super::row::{OutboxRow, Position};
use crate::error::PostgresError;

impl Pump {
    /// What of the batch is to be published now, each key's rows in the order of their seqs and without gaps; the rows
    /// leave the batch. A key of which an earlier event lies behind the batch lags from then on.
    pub(super) async fn ready(
        &self,
        batch: &mut Batch,
        reader: &Object,
    ) -> Result<(Vec<OutboxRow>, Vec<(String, Lagging)>), PostgresError> {
        let rows = std::mem::take(&mut batch.rows);
        let due: Vec<usize> = (0..rows.len())
            .filter(|at| self.is_due(&rows[*at]))
            .collect();
        // The places of each key's rows.
        let mut keys: HashMap<&str, Vec<usize>> = HashMap::new();
        for at in &due {
            keys.entry(&rows[*at].key).or_default().push(*at);
        }
        // (key, seq) of which it is not known whether they are published, and which must be before the next seq is.
        let mut doubts = Vec::new();
        for (key, places) in &mut keys {
            places.sort_by_key(|at| rows[*at].seq);
            let mut before = self.published.get(key).unwrap_or(0);
            for at in places.iter() {
                let seq = rows[*at].seq;
                if seq != before + 1 {
                    doubts.push((*key, seq - 1));
                }
                before = seq;
            }
        }
        let mut behind = Vec::new();
        if !doubts.is_empty() {
            let missing = reading::unpublished(reader, &doubts, batch.reaches).await?;
            for key in missing {
                let Some(places) = keys.get_mut(key.as_str()) else {
                    continue;
                };
                let doubted = doubts.iter().filter(|(doubted, _)| *doubted == key);
                for seq in doubted.map(|(_, before)| before + 1) {
                    let cut = cut(&rows, places, seq, batch.reaches, reader).await?;
                    behind.extend(cut);
                }
            }
        }
        let mut next: HashMap<&str, std::vec::IntoIter<usize>> = keys
            .into_iter()
            .map(|(key, places)| (key, places.into_iter()))
            .collect();
        // In the place of each row comes the next of its key.
        let order = due
            .iter()
            .filter_map(|at| next.get_mut(rows[*at].key.as_str())?.next())
            .collect();
        Ok((in_order(rows, order), behind))
    }

    fn is_due(&self, row: &OutboxRow) -> bool {
        let shard = self.shards.get(&row.shard);
        shard.is_some_and(|shard| row.at > shard.at)
            && !self.lagging.contains_key(&row.key)
            && self.published.get(&row.key).is_none_or(|seq| row.seq > seq)
    }
}

/// Takes the places from this seq on out, if an event before it is not published and not in the batch.
async fn cut(
    rows: &[OutboxRow],
    places: &mut Vec<usize>,
    seq: i64,
    reaches: Position,
    reader: &Object,
) -> Result<Option<(String, Lagging)>, PostgresError> {
    let Some(nth) = places.iter().position(|at| rows[*at].seq == seq) else {
        return Ok(None);
    };
    let row = &rows[places[nth]];
    let first = reading::first_unpublished(reader, &row.key, seq, reaches).await?;
    Ok(first.map(|first| {
        places.truncate(nth);
        (row.key.clone(), Lagging::behind(row.shard, first))
    }))
}

fn in_order(rows: Vec<OutboxRow>, order: Vec<usize>) -> Vec<OutboxRow> {
    let as_it_is =
        order.len() == rows.len() && order.iter().enumerate().all(|(nth, at)| nth == *at);
    if as_it_is {
        return rows;
    }
    let mut rows: Vec<Option<OutboxRow>> = rows.into_iter().map(Some).collect();
    let taken = order.into_iter().filter_map(|at| rows[at].take());
    taken.collect()
}
