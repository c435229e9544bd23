use super::database::Database;
use super::guard::{Guard, GuardRow, Outcome};
use crate::error::{PostgresError, PostgresErrorKind};

/// An open transaction of an application that a [`Guard`] can be recorded in: `tokio_postgres::Transaction`,
/// `deadpool_postgres::Transaction`, and with the feature `sqlx` `sqlx::Transaction<Postgres>` and `PgConnection` in a
/// transaction.
#[expect(private_bounds, reason = "sealed")]
pub trait GuardedTransaction: Statements {
    /// The library it belongs to.
    type Database: Database;
}

/// The two statements of a guard.
#[async_trait::async_trait]
pub(crate) trait Statements: Send {
    /// Runs [`Guard::SQL`]: whether it changed a row.
    async fn record(&mut self, guard: &Guard) -> Result<bool, PostgresError>;

    /// Runs [`Guard::ROW_SQL`].
    async fn row(&mut self, guard: &Guard) -> Result<Option<GuardRow>, PostgresError>;
}

impl Guard {
    /// Records the run in the application's own transaction: the last statement before the commit. The outcome says
    /// whether to commit.
    ///
    /// # Errors
    /// When a statement fails. Roll back then.
    ///
    /// # Cancel safety
    /// Where the future is dropped, the statement may have been carried out: roll back.
    pub async fn record<T: GuardedTransaction>(
        &self,
        transaction: &mut T,
    ) -> Result<Outcome, PostgresError> {
        if Statements::record(transaction, self).await? {
            return Ok(Outcome::Recorded);
        }
        let row = transaction.row(self).await?;
        self.explain(row.as_ref()).ok_or_else(|| {
            PostgresError::new(
                PostgresErrorKind::Conflict,
                "another transaction changed the row of the key in `ordered_progress` meanwhile: roll back, and try \
                 again",
            )
        })
    }
}
