use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use ordered_core::event::Key;
use ordered_core::protocol::Fence;

use crate::error::{PostgresError, PostgresErrorKind};

/// How far a key is in this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    key: Key,
    epoch: u64,
    last_seq: u64,
    skipped: Vec<RangeInclusive<u64>>,
    fence: Fence,
    updated_at: SystemTime,
}

/// A row as the query returns it.
pub(super) struct PositionRow {
    pub(super) key: String,
    pub(super) epoch: i64,
    pub(super) last_seq: i64,
    pub(super) fence: i64,
    /// The first seq of a range, the one behind it, and so on.
    pub(super) skipped: Vec<i64>,
    pub(super) updated_at: f64,
}

impl Position {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// How often its numbering was started over.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last seq that was applied.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Which seqs before it were not applied here: skipped, dead-lettered, or from before there was an inbox.
    #[must_use]
    pub fn skipped(&self) -> &[RangeInclusive<u64>] {
        &self.skipped
    }

    /// The fence of the last transaction.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// When it was applied, by the server's clock.
    #[must_use]
    pub fn updated_at(&self) -> SystemTime {
        self.updated_at
    }
}

impl TryFrom<PositionRow> for Position {
    type Error = PostgresError;

    fn try_from(row: PositionRow) -> Result<Self, PostgresError> {
        let wrong = |what: String| {
            PostgresError::new(
                PostgresErrorKind::Refused,
                format!("`ordered_progress` has a row that the inbox did not write: {what}"),
            )
        };
        let number = |number: i64| {
            u64::try_from(number).map_err(|_| wrong(format!("{number} in the key {:?}", row.key)))
        };
        let mut skipped = Vec::with_capacity(row.skipped.len() / 2);
        for bounds in row.skipped.chunks_exact(2) {
            skipped.push(number(bounds[0])?..=number(bounds[1] - 1)?);
        }
        Ok(Self {
            epoch: number(row.epoch)?,
            last_seq: number(row.last_seq)?,
            fence: Fence(number(row.fence)?),
            skipped,
            updated_at: SystemTime::UNIX_EPOCH
                + Duration::try_from_secs_f64(row.updated_at).unwrap_or_default(),
            key: Key::new(&row.key).map_err(|error| wrong(error.to_string()))?,
        })
    }
}
