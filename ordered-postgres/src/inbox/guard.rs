use std::fmt;
use std::ops::RangeInclusive;

use ordered_core::handler::{Context, HandlerError};
use ordered_core::protocol::Fence;
use tokio_postgres::types::ToSql;

use crate::error::{PostgresError, PostgresErrorKind};

/// What has to be recorded of a run of a handler in the transaction of its effects: one SQL statement on
/// `ordered_progress`.
///
/// The row of a key says which seqs of it were applied in this database: 1 to `last_seq`, but for those that are
/// `skipped`. The statement adds the run to them. It changes nothing where any event of the run is among them already,
/// or where the row carries a higher fence.
#[derive(Debug, Clone)]
pub struct Guard {
    group: String,
    key: String,
    epoch: i64,
    first: i64,
    last: i64,
    event_id: String,
    fence: i64,
    may_skip: bool,
}

/// Whether the first event of a run may lie beyond the next seq of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Gaps {
    /// It may. The seqs between are noted as skipped. The worker passes over what a producer filled, an operator
    /// skipped, a gap policy gave up, or became a dead letter; no transaction of the inbox knows of that.
    #[default]
    Allow,
    /// It may not: [`Outcome::NotNext`]. For groups that never skip: then a gap means that Postgres has lost
    /// transactions that were committed, for instance in a fail-over to a replica that was behind.
    Refuse,
}

/// What came of recording a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is recorded: commit the transaction.
    Recorded,
    /// It was recorded before: roll back, and count the run as a success.
    DoneAlready {
        /// The last seq of the row.
        last_seq: u64,
    },
    /// The row carries a higher fence: another worker has the key. Roll back, and fail.
    Fenced {
        /// The fence of the row.
        recorded: Fence,
        /// The fence of the run.
        fence: Fence,
    },
    /// The run does not follow what is recorded: it belongs to an earlier numbering of the key, or a part of it is
    /// done, or there is a gap where [none may be](Gaps::Refuse). Roll back, and fail.
    NotNext {
        /// The epoch of the run.
        epoch: u64,
        /// The first and the last seq of the run.
        seqs: RangeInclusive<u64>,
        /// The epoch of the row.
        recorded_epoch: u64,
        /// The last seq of the row.
        last_seq: u64,
    },
    /// Another event was recorded under this seq. Roll back, and fail permanently.
    Conflict {
        /// The seq.
        seq: u64,
        /// The id of the event of the row.
        recorded: String,
        /// The id of the event of the run.
        event_id: String,
    },
}

impl Guard {
    /// The statement that records the run. Its parameters are `$1` to `$8`: [group](Self::group), [key](Self::key),
    /// [epoch](Self::epoch), [first seq](Self::first_seq), [last seq](Self::last_seq), [event id](Self::event_id),
    /// [fence](Self::fence), and [whether there may be a gap](Self::may_skip). It changes one row, or none where it
    /// refuses.
    pub const SQL: &str = include_str!("sql/record.sql");

    /// The query for the row, which says why the statement refused: see [`Guard::explain`]. Its parameters are group,
    /// key, first seq and last seq.
    pub const ROW_SQL: &str = include_str!("sql/row.sql");

    /// What has to be recorded of the run with this context.
    ///
    /// # Errors
    /// When Postgres cannot store the key or the id, or the fence or the epoch is beyond 2^63-1, or the event has no
    /// seq.
    pub fn of(context: &Context) -> Result<Self, PostgresError> {
        if !context.seq().is_numbered() {
            return Err(invalid(
                "the inbox records how far a key is by its seqs, and the events of a group in the order `arrival` have \
                 none: write the event's id into a table of yours with a unique index, in the transaction of the effect"
                    .to_owned(),
            ));
        }
        let last = context.run().last().unwrap_or(context);
        let (key, event_id) = (context.key().as_str(), last.event_id().as_str());
        let texts = [context.group(), key, event_id];
        if let Some(text) = texts.into_iter().find(|text| text.contains('\0')) {
            return Err(invalid(format!(
                "Postgres cannot store {text:?}: it has a NUL character; use the key or id without it"
            )));
        }
        let number = |what, number: u64| {
            i64::try_from(number).map_err(|_| {
                invalid(format!(
                    "the {what} {number} is beyond 2^63-1, and Postgres cannot store it"
                ))
            })
        };
        let seqs = context.seqs();
        Ok(Self {
            group: context.group().to_owned(),
            key: key.to_owned(),
            epoch: number("epoch", context.epoch())?,
            first: number("seq", *seqs.start())?,
            last: number("seq", *seqs.end())?,
            event_id: event_id.to_owned(),
            fence: number("fence", context.fence().0)?,
            may_skip: true,
        })
    }

    /// Whether the run may lie beyond the next seq. Default: [`Gaps::Allow`].
    #[must_use]
    pub fn gaps(mut self, gaps: Gaps) -> Self {
        self.may_skip = gaps == Gaps::Allow;
        self
    }

    /// The group, a text.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The key, a text.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The epoch, a `bigint`.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The seq of the first event of the run, a `bigint`.
    #[must_use]
    pub fn first_seq(&self) -> i64 {
        self.first
    }

    /// The seq of the last event of the run, a `bigint`.
    #[must_use]
    pub fn last_seq(&self) -> i64 {
        self.last
    }

    /// The id of the last event of the run, a text.
    #[must_use]
    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// The fence, a `bigint`.
    #[must_use]
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Whether the run may lie beyond the next seq, a `boolean`.
    #[must_use]
    pub fn may_skip(&self) -> bool {
        self.may_skip
    }

    /// As `tokio-postgres` takes them, in their order.
    pub(super) fn parameters(&self) -> [&(dyn ToSql + Sync); 8] {
        [
            &self.group,
            &self.key,
            &self.epoch,
            &self.first,
            &self.last,
            &self.event_id,
            &self.fence,
            &self.may_skip,
        ]
    }

    /// Why the statement changed no row: the row of [`Guard::ROW_SQL`], read in the same transaction afterwards. `None`
    /// where it gives no reason, because another transaction changed it meanwhile: try again.
    #[must_use]
    pub fn explain(&self, row: Option<&GuardRow>) -> Option<Outcome> {
        let row = row?;
        let (epoch, last_seq) = (row.epoch, row.last_seq);
        if row.fence > self.fence {
            return Some(Outcome::Fenced {
                recorded: Fence(unsigned(row.fence)),
                fence: Fence(unsigned(self.fence)),
            });
        }
        if epoch == self.epoch && last_seq == self.last && row.event_id != self.event_id() {
            return Some(Outcome::Conflict {
                seq: unsigned(last_seq),
                recorded: row.event_id.clone(),
                event_id: self.event_id().to_owned(),
            });
        }
        if epoch == self.epoch && self.last <= last_seq && !row.any_skipped {
            return Some(Outcome::DoneAlready {
                last_seq: unsigned(last_seq),
            });
        }
        let is_earlier = epoch > self.epoch;
        let is_part_done = epoch == self.epoch && self.first <= last_seq;
        let is_gap = epoch == self.epoch && self.first > last_seq + 1 && !self.may_skip();
        (is_earlier || is_part_done || is_gap).then(|| Outcome::NotNext {
            epoch: unsigned(self.epoch),
            seqs: unsigned(self.first)..=unsigned(self.last),
            recorded_epoch: unsigned(epoch),
            last_seq: unsigned(last_seq),
        })
    }
}

/// What [`Guard::ROW_SQL`] returns, in the order of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the columns of the table")]
pub struct GuardRow {
    pub epoch: i64,
    pub last_seq: i64,
    pub event_id: String,
    pub fence: i64,
    /// Whether any event of the run was skipped.
    pub any_skipped: bool,
}

impl Outcome {
    /// Whether the transaction may be committed.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        *self == Self::Recorded
    }

    /// What a handler with a transaction of its own returns after it has rolled back: success where the run was
    /// recorded before, otherwise an error that says what is wrong.
    ///
    /// # Errors
    /// A transient one where the run may succeed later, a permanent one for [`Outcome::Conflict`].
    pub fn into_result(self) -> Result<(), HandlerError> {
        match self {
            Self::Recorded | Self::DoneAlready { .. } => Ok(()),
            Self::Fenced { .. } | Self::NotNext { .. } => {
                Err(HandlerError::transient(self.to_string()))
            }
            Self::Conflict { .. } => Err(HandlerError::permanent(self.to_string())),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded => f.write_str("it is recorded"),
            Self::DoneAlready { last_seq } => write!(
                f,
                "it was applied before: the last applied seq of the key is {last_seq}"
            ),
            Self::Fenced { recorded, fence } => write!(
                f,
                "another worker has the key: the last transaction had the fence {}, and this run has {}; nothing was \
                 changed",
                recorded.0, fence.0
            ),
            Self::NotNext {
                epoch,
                seqs,
                recorded_epoch,
                last_seq,
            } if epoch != recorded_epoch => write!(
                f,
                "seq {} belongs to epoch {epoch} of its key, and `ordered_progress` is at seq {last_seq} of epoch \
                 {recorded_epoch}: if the store has lost its state, run `ordered import --from-postgres`",
                seqs.start()
            ),
            Self::NotNext { seqs, last_seq, .. } if *seqs.start() > *last_seq => write!(
                f,
                "seq {} does not follow {last_seq}, the last one in `ordered_progress`: Postgres has lost \
                 transactions, or events were skipped; apply what is missing, and set `last_seq` of the row, or allow \
                 gaps",
                seqs.start()
            ),
            Self::NotNext { seqs, last_seq, .. } => write!(
                f,
                "of the seqs {} to {} a part was applied before, up to {last_seq}: they run again one at a time",
                seqs.start(),
                seqs.end()
            ),
            Self::Conflict {
                seq,
                recorded,
                event_id,
            } => write!(
                f,
                "seq {seq} was applied for the event {recorded:?}, and this is {event_id:?}: two events have one seq"
            ),
        }
    }
}

fn invalid(message: String) -> PostgresError {
    PostgresError::new(PostgresErrorKind::Invalid, message)
}

/// What the table's check, or this program, keeps from being negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without comments and the ends of statements.
    fn plain(sql: &str) -> String {
        let lines = sql.lines().filter(|line| !line.starts_with("--"));
        lines.collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    #[test]
    fn the_guide_shows_the_statements_as_they_are() {
        let guide = include_str!("../../../docs/exactly-once-effects.md");
        for sql in [Guard::SQL, Guard::ROW_SQL] {
            let sql = plain(sql) + ";";
            assert!(guide.contains(&sql), "the guide has not:\n{sql}");
        }
    }
}
