//! Why events failed, grouped by cause.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::cause::{Cause, CauseExample};
use super::selection::{Selection, is_halted};
use super::{Admin, state_of};
use crate::protocol::{Millis, Phase};
use crate::store::{Group, StoreError};
use crate::words::cause_of;

/// How many keys are read at a time.
const AT_A_TIME: usize = 32;

/// One event that failed.
struct Failed {
    cause: String,
    kind: FailedKind,
    first_at: Millis,
    last_at: Millis,
    example: CauseExample,
}

enum FailedKind {
    Halted,
    BackingOff,
    Dead,
}

impl Admin {
    /// The events that halt their keys, that back off, and that are dead letters, by cause, the most frequent first. Of
    /// one key it looks at the first [`Effect::MAX_EVENTS`](crate::protocol::Effect::MAX_EVENTS) dead letters.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn causes(
        &self,
        group: &Group,
        selection: &Selection,
    ) -> Result<Vec<Cause>, StoreError> {
        let records = self.busy_records(group).await?;
        let records = records.into_iter().filter(|(key, _)| selection.names(key));
        let of_keys = records.map(async |(key, record)| {
            let Ok(state) = state_of(group, &record) else {
                return Ok(Vec::new());
            };
            let mut failed = Vec::new();
            let kind = match state.phase {
                _ if is_halted(&state) => Some(FailedKind::Halted),
                Phase::BackingOff { .. } => Some(FailedKind::BackingOff),
                _ => None,
            };
            if let (Some(kind), Some(last)) = (kind, &state.last_error) {
                failed.push(Failed {
                    cause: cause_of(&last.error, &[key.as_str()]),
                    kind,
                    first_at: last.first_at,
                    last_at: last.last_at,
                    example: CauseExample {
                        key: key.to_string(),
                        seq: state.head(),
                        error: last.error.clone(),
                    },
                });
            }
            for dead in self.dead_letters(group, &key, &state).await? {
                let (error, at) = match dead.note {
                    Some(note) if note.error.is_empty() => (note.cause.as_str().into(), note.at),
                    Some(note) => (note.error, note.at),
                    None => ("the note beside it cannot be read".into(), 0),
                };
                failed.push(Failed {
                    cause: cause_of(&error, &[key.as_str(), &dead.id]),
                    kind: FailedKind::Dead,
                    first_at: at,
                    last_at: at,
                    example: CauseExample {
                        key: key.to_string(),
                        seq: dead.seq,
                        error,
                    },
                });
            }
            Ok::<_, StoreError>(failed)
        });
        let mut of_keys = stream::iter(of_keys).buffered(AT_A_TIME);
        let mut causes: HashMap<String, Cause> = HashMap::new();
        while let Some(failed) = of_keys.try_next().await? {
            for failed in failed {
                add(&mut causes, failed);
            }
        }
        let mut causes: Vec<Cause> = causes.into_values().collect();
        causes.sort_by(|one, other| {
            let order = other.events.cmp(&one.events);
            order.then_with(|| one.cause.cmp(&other.cause))
        });
        Ok(causes)
    }
}

fn add(causes: &mut HashMap<String, Cause>, failed: Failed) {
    let known = causes
        .entry(failed.cause)
        .or_insert_with_key(|cause| Cause {
            cause: cause.clone(),
            events: 0,
            halted: 0,
            backing_off: 0,
            dead: 0,
            first_at: failed.first_at,
            last_at: failed.last_at,
            example: failed.example.clone(),
        });
    known.events += 1;
    match failed.kind {
        FailedKind::Halted => known.halted += 1,
        FailedKind::BackingOff => known.backing_off += 1,
        FailedKind::Dead => known.dead += 1,
    }
    known.first_at = known.first_at.min(failed.first_at);
    if failed.last_at > known.last_at {
        known.last_at = failed.last_at;
        known.example = failed.example;
    }
}
