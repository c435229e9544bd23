//! Publishing, and which keys are in the way when it fails.

use std::collections::HashMap;

use ordered_core::publish::Outgoing;
use ordered_core::transport::{Publish, TransportError, TransportErrorKind};

use super::row::OutboxRow;

/// How many keys that lag are gone on with at a time.
pub(super) const KEYS_AT_A_TIME: usize = 8;

/// What happened to an attempt to publish rows.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The broker has confirmed all.
    All,
    /// All but what these keys have from some seq on.
    Without(Vec<StoppedKey>),
    /// Nothing went through, or the connection broke: it is not the keys.
    Nothing(TransportError),
}

/// A key of which something could not be published.
#[derive(Debug)]
pub(super) struct StoppedKey {
    pub(super) key: String,
    pub(super) shard: i16,
    /// The first seq that was not published.
    pub(super) seq: i64,
    pub(super) error: String,
}

/// Sends the rows once, in their order. Where the broker is not there at first, it is not the keys; otherwise each key
/// stops at its first event that was not taken.
pub(super) async fn publish(
    publisher: &dyn Publish,
    rows: &[OutboxRow],
    earlier_failures: u32,
) -> Attempt {
    let events: Vec<Outgoing> = rows.iter().map(OutboxRow::outgoing).collect();
    let mut outcomes = publisher.send(&events).await;
    let missing = || {
        Err(TransportError::unavailable(
            "the transport has not said what happened to an event",
        ))
    };
    outcomes.resize_with(rows.len(), missing);
    let mut stopped: HashMap<&str, StoppedKey> = HashMap::new();
    let (mut went, mut only_unavailable, mut last) = (false, true, None);
    for (row, outcome) in rows.iter().zip(outcomes) {
        let Err(error) = outcome else {
            went = true;
            continue;
        };
        only_unavailable &= error.kind() == TransportErrorKind::Unavailable;
        stopped
            .entry(&row.key)
            .or_insert_with(|| row.stopped(&error));
        last = Some(error);
    }
    let Some(error) = last else {
        return Attempt::All;
    };
    let is_broker = only_unavailable && (earlier_failures == 0 || !went);
    let is_everything = !went && rows.iter().any(|row| row.key != rows[0].key);
    if is_broker || is_everything {
        return Attempt::Nothing(error);
    }
    Attempt::Without(stopped.into_values().collect())
}

/// Publishes rows of one key, up to the first that cannot be published. The first goes alone: where it is the one in
/// the way, none of those behind it may come before it.
pub(super) async fn of_key(publisher: &dyn Publish, rows: &[&OutboxRow]) -> Result<(), StoppedKey> {
    let Some((first, rest)) = rows.split_first() else {
        return Ok(());
    };
    for part in [std::slice::from_ref(first), rest] {
        let events: Vec<Outgoing> = part.iter().map(|row| row.outgoing()).collect();
        let mut outcomes = publisher.send(&events).await.into_iter();
        for row in part {
            match outcomes.next() {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(row.stopped(&error)),
                None => {
                    return Err(row.stopped(&TransportError::unavailable(
                        "the transport has not answered",
                    )));
                }
            }
        }
    }
    Ok(())
}

impl OutboxRow {
    fn stopped(&self, error: &TransportError) -> StoppedKey {
        StoppedKey {
            key: self.key.clone(),
            shard: self.shard,
            seq: self.seq,
            error: error.to_string(),
        }
    }
}
