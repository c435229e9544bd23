use std::fmt;
use std::time::Instant;

use super::database::Database;
use super::{Inbox, metrics};
use crate::error::{PostgresError, PostgresErrorKind};

/// The transaction of a [`Tx`](super::Tx). It begins with the first statement, and takes a connection of the pool only
/// then.
pub struct Session<D: Database> {
    pub(super) inbox: Inbox<D>,
    pub(super) progress: Progress<D>,
}

/// How far a session is.
pub(super) enum Progress<D: Database> {
    /// No statement was asked for.
    Untouched,
    Open(D::Transaction),
    /// It could not begin.
    Failed,
    /// The handler has another one on the same database.
    Second,
}

impl<D: Database> Session<D> {
    /// The transaction, which is begun now if it was not.
    pub(super) async fn open(&mut self) -> Result<&mut D::Transaction, PostgresError> {
        match self.progress {
            Progress::Open(_) => {}
            Progress::Second => {
                return Err(PostgresError::new(
                    PostgresErrorKind::Invalid,
                    "the handler takes two `Tx` on one database, and they would be two transactions: take one",
                ));
            }
            Progress::Untouched | Progress::Failed => {
                self.progress = Progress::Failed;
                let (inner, asked) = (&self.inbox.inner, Instant::now());
                self.progress = Progress::Open(D::begin(&inner.pool, &inner.limits).await?);
                metrics::began(asked.elapsed());
            }
        }
        match &mut self.progress {
            Progress::Open(transaction) => Ok(transaction),
            _ => unreachable!("it was opened above"),
        }
    }
}

impl<D: Database> fmt::Debug for Session<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let progress = match self.progress {
            Progress::Untouched => "untouched",
            Progress::Open(_) => "open",
            Progress::Failed => "failed",
            Progress::Second => "second",
        };
        f.debug_tuple("Session").field(&progress).finish()
    }
}
