//! Publishing, and finding out which key is in the way when it fails.

use std::collections::HashMap;

use futures_util::{FutureExt, StreamExt, stream};
use ordered_core::event::Envelope;
use ordered_core::transport::{Publish, TransportError, TransportErrorKind};

use super::row::OutboxRow;

/// How many keys are published at a time, each by itself, after all of them together have failed.
pub(super) const KEYS_AT_A_TIME: usize = 8;

/// What became of an attempt to publish rows.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The broker has confirmed all.
    All,
    /// All but what these keys have from some seq on.
    Without(Vec<Stopped>),
    /// Nothing went through: it is not the keys.
    Nothing(TransportError),
}

/// A key of which something could not be published.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) key: String,
    pub(super) shard: i16,
    /// The first seq that was not published.
    pub(super) seq: i64,
    pub(super) error: String,
}

/// Publishes the rows in their order. On a first failure that passes by itself nothing else is tried; otherwise each key is
/// tried by itself, so that one that cannot be published stops alone.
pub(super) async fn publish(
    publisher: &dyn Publish,
    rows: &[OutboxRow],
    earlier_failures: u32,
) -> Attempt {
    let error = match publisher.publish(envelopes(rows)).await {
        Ok(()) => return Attempt::All,
        Err(error) => error,
    };
    let passes = error.kind() == TransportErrorKind::Unavailable;
    if passes && earlier_failures == 0 {
        return Attempt::Nothing(error);
    }
    let keys = by_key(rows);
    let alone = keys.len() == 1;
    let (first, rest) = keys.split_at(keys.len().min(KEYS_AT_A_TIME));
    let (mut stopped, mut went) = each(publisher, first).await;
    if !went && (passes || !alone) {
        return Attempt::Nothing(error);
    }
    let (more, _) = each(publisher, rest).await;
    stopped.extend(more);
    went |= stopped.is_empty();
    if went && stopped.is_empty() {
        Attempt::All
    } else {
        Attempt::Without(stopped)
    }
}

/// The keys that stopped, and whether anything was published.
async fn each(publisher: &dyn Publish, keys: &[Vec<&OutboxRow>]) -> (Vec<Stopped>, bool) {
    let all: Vec<_> = keys
        .iter()
        .map(|rows| of_key(publisher, rows).boxed())
        .collect();
    let outcomes = stream::iter(all)
        .buffer_unordered(KEYS_AT_A_TIME)
        .collect::<Vec<_>>()
        .await;
    let went = outcomes.iter().any(|outcome| match outcome {
        Ok(()) => true,
        Err((_, some)) => *some,
    });
    let stopped = outcomes.into_iter().filter_map(Result::err);
    (stopped.map(|(stopped, _)| stopped).collect(), went)
}

/// Publishes rows of one key, up to the first that cannot be published.
pub(super) async fn of_key(
    publisher: &dyn Publish,
    rows: &[&OutboxRow],
) -> Result<(), (Stopped, bool)> {
    let together = rows.iter().map(|row| row.envelope()).collect();
    if publisher.publish(together).await.is_ok() {
        return Ok(());
    }
    for (place, row) in rows.iter().enumerate() {
        if let Err(error) = publisher.publish(vec![row.envelope()]).await {
            let stopped = Stopped {
                key: row.key.clone(),
                shard: row.shard,
                seq: row.seq,
                error: error.to_string(),
            };
            return Err((stopped, place > 0));
        }
    }
    Ok(())
}

fn envelopes(rows: &[OutboxRow]) -> Vec<Envelope> {
    rows.iter().map(OutboxRow::envelope).collect()
}

fn by_key(rows: &[OutboxRow]) -> Vec<Vec<&OutboxRow>> {
    let mut places = HashMap::new();
    let mut keys: Vec<Vec<&OutboxRow>> = Vec::new();
    for row in rows {
        let place = *places.entry(&row.key).or_insert(keys.len());
        match keys.get_mut(place) {
            Some(rows) => rows.push(row),
            None => keys.push(vec![row]),
        }
    }
    keys
}
